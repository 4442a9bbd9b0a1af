// A region as lines: over the frame, and as a picture over thumbnails.
import { maskOf, outlinesOf } from "../state/raster";
import type { Region } from "../transport/messages";
import { same } from "../transport/same";
import { attribute, svg } from "../ui/dom";
import type { Size } from "../ui/viewport";

/** As an SVG path; `at` tells where a corner lies. */
function pathOf(region: Region, size: Size, at: (y: number, x: number) => string): string {
  const lines = region.points.length ? [region.points] : outlinesOf(maskOf(region, size), size);
  return lines.map((line) => `M${line.map(([y = 0, x = 0]) => at(y, x)).join("L")}z`).join("");
}

/** What each group shows: the path of a large mask is not made again while the pointer moves. */
const shown = new WeakMap<SVGElement, readonly unknown[]>();

/** The region's outline over the frame; one that is still being painted is filled. */
export function drawRegion(
  group: SVGElement,
  region: Region | null,
  { left, top }: { left: number; top: number },
  size: Size,
  shownWidth: number,
  isPainted = false,
): void {
  const now = [region, left, top, size.width, size.height, shownWidth, isPainted];
  if (same(shown.get(group) ?? [], now)) return;
  shown.set(group, now);
  group.replaceChildren();
  attribute(group, "data-shown", region !== null);
  attribute(group, "data-painted", isPainted);
  if (!region) return;
  const scale = shownWidth / size.width;
  const path = pathOf(
    region,
    size,
    (y, x) => `${(left + x * scale).toFixed(1)} ${(top + y * scale).toFixed(1)}`,
  );
  group.append(
    svg("path", { d: path, class: "cw-halo cw-outline" }),
    svg("path", { d: path, class: "cw-line cw-outline" }),
  );
}

/** The same as a picture of its own, for `background`, which takes the shape of what it lies on. */
export function regionPicture(region: Region, size: Size): string {
  const path = pathOf(region, size, (y, x) => `${x} ${y}`);
  const line = (colour: string, width: number) =>
    `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}" vector-effect="non-scaling-stroke"/>`;
  const drawn = line("rgb(0 0 0 / 55%)", 2.5) + line("rgb(255 255 255 / 95%)", 1);
  const { height, width } = size;
  const text = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">${drawn}</svg>`;
  return `url("data:image/svg+xml,${encodeURIComponent(text)}")`;
}
