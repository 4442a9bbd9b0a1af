// Which places are in a region.
import { isInside } from "../state/polygon";
import type { Region } from "../transport/messages";

/** Whether a place, in pixels from the top left corner, is in a region. */
export function insideOf({ points, runs }: Region, width: number): (y: number, x: number) => boolean {
  if (points.length > 0) {
    const polygon = points.map(([y = 0, x = 0]) => [x, y] as const);
    return (y, x) => isInside(polygon, x, y);
  }
  const pixels = new Set<number>();
  for (let i = 0; i + 1 < runs.length; i += 2)
    for (let at = runs[i] ?? 0; at < (runs[i] ?? 0) + (runs[i + 1] ?? 0); at++) pixels.add(at);
  return (y, x) => pixels.has(Math.floor(y) * width + Math.floor(x));
}
