// How pictures are drawn now, from the traits.
import type { Store } from "../state/store";
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
