// What a map has in a region.
import { maskOf } from "../state/raster";
import type { Region } from "../transport/messages";
import type { Size } from "./resize";

/** How many pixels of a region lie on each of a map's, by region: the neurons of a grid are asked for one by one. */
const known = new WeakMap<Region, { size: string; counts: Uint32Array }>();

function countsOf(region: Region, { height, width }: Size, frame: Size): Uint32Array {
  const size = [height, width, frame.height, frame.width].join();
  const before = known.get(region);
  if (before?.size === size) return before.counts;
  const counts = new Uint32Array(height * width);
  const mask = maskOf(region, frame);
  for (let at = mask.indexOf(1); at >= 0; at = mask.indexOf(1, at + 1)) {
    const y = Math.floor(((Math.floor(at / frame.width) + 0.5) * height) / frame.height);
    const x = Math.floor((((at % frame.width) + 0.5) * width) / frame.width);
    counts[y * width + x] = (counts[y * width + x] ?? 0) + 1;
  }
  known.set(region, { size, counts });
  return counts;
}

/** The sum of a map over a region, in pixels of the frame, which the map may have fewer of. */
export function sumInside(region: Region, map: Size & { values: Float32Array }, frame: Size): number {
  const counts = countsOf(region, map, frame);
  return map.values.reduce((sum, value, i) => sum + value * (counts[i] ?? 0), 0);
}
