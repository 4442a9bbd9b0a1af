// Which places are in a region.
import type { Region } from "../transport/messages";

/** Whether a place, in pixels from the top left corner, is in a region. */
export function insideOf({ points, runs }: Region, width: number): (y: number, x: number) => boolean {
  if (points.length === 0) {
    const pixels = new Set<number>();
    for (let i = 0; i + 1 < runs.length; i += 2)
      for (let at = runs[i] ?? 0; at < (runs[i] ?? 0) + (runs[i + 1] ?? 0); at++) pixels.add(at);
    return (y, x) => pixels.has(Math.floor(y) * width + Math.floor(x));
  }
  return (y, x) => {
    let inside = false;
    points.forEach(([y1 = 0, x1 = 0], i) => {
      const [y0 = 0, x0 = 0] = points.at(i - 1) ?? [];
      if (y1 > y !== y0 > y && x < ((x0 - x1) * (y - y1)) / (y0 - y1) + x1) inside = !inside;
    });
    return inside;
  };
}
