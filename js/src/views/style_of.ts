// How pictures are drawn now, from the traits.
import { type ContributionMap, drawnAs, isOfContributions, planeOf } from "../sources/pictures";
import type { Store } from "../state/store";
import { contourPath } from "../ui/contours";
import type { Style } from "../ui/palette";

/** Read inside an effect. */
export function styleOf(store: Store): Style {
  return {
    maps: store.maps.value,
    palette: store.palette.value,
    opacity: store.opacity.value,
    contrast: store.contrast.value,
  };
}

/**
 * The style of the frame's map, and where its colours end before contrast: at the limit that is locked, which contrast
 * does not move, else where they end for all maps that are `shared`, else (null) at its own largest magnitude. Read inside
 * an effect.
 */
export function frameStyle(store: Store, map: ContributionMap | null, shared: number | null) {
  const [style, limit] = [styleOf(store), store.limit.value];
  const isLocked = limit !== null && map !== null && isOfContributions(map);
  return isLocked ? { style: { ...style, contrast: 1 }, top: limit } : { style, top: shared };
}

/** The lines on a map, if they are wanted, as `contourPath` has them; `style` and `top` are those of `frameStyle`. */
export function contoursOf(
  store: Store,
  map: ContributionMap | null,
  style: Style,
  top: number | null,
  pixels: number,
): string {
  if (!map || !store.contours.peek()) return "";
  const maps = drawnAs(map, style.maps);
  return contourPath(
    { ...planeOf(map, maps), width: map.width, height: map.height },
    { ...style, maps },
    top,
    pixels,
  );
}
