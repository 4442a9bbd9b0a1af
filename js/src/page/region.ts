// Which places are in a region, and what a map has there.
import { isInside } from "../state/polygon";
import type { Region } from "../transport/messages";
import type { Size } from "./resize";

/** Whether a place, in pixels from the top left corner, is in a region. */
function insideOf({ points, runs }: Region, width: number): (y: number, x: number) => boolean {
  if (points.length > 0) {
    const polygon = points.map(([y = 0, x = 0]) => [x, y] as const);
    return (y, x) => isInside(polygon, x, y);
  }
  const pixels = new Set<number>();
  for (let i = 0; i + 1 < runs.length; i += 2)
    for (let at = runs[i] ?? 0; at < (runs[i] ?? 0) + (runs[i + 1] ?? 0); at++) pixels.add(at);
  return (y, x) => pixels.has(Math.floor(y) * width + Math.floor(x));
}

/** The sum of a map over a region, in pixels of the frame, which the map may have fewer of. */
export function sumInside(
  region: Region,
  { values, height, width }: { values: Float32Array; height: number; width: number },
  frame: Size,
): number {
  const scale = { y: height / frame.height, x: width / frame.width };
  const inside = insideOf(region, frame.width);
  let sum = 0;
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++)
      if (inside((y + 0.5) / scale.y, (x + 0.5) / scale.x)) sum += values[i] ?? 0;
  return sum / (scale.y * scale.x);
}
