// Whether a point is in a polygon.

/** By the even-odd rule, for points `[x, y]`. */
export function isInside(polygon: readonly (readonly [number, number])[], x: number, y: number): boolean {
  let odd = false;
  polygon.forEach(([x1, y1], i) => {
    const [x0, y0] = polygon.at(i - 1) ?? [x1, y1];
    if (y1 > y !== y0 > y && x < ((x0 - x1) * (y - y1)) / (y0 - y1) + x1) odd = !odd;
  });
  return odd;
}
