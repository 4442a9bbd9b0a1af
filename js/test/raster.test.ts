import { describe, expect, it } from "vitest";
import { isInside } from "../src/state/polygon";
import { maskOf, outlinesOf, type Point, runsOf, stroke } from "../src/state/raster";

const SIZE = { width: 12, height: 9 };
const pixels = SIZE.width * SIZE.height;

/** Numbers from 0 to 1, the same in each run. */
function chance(seed: number): () => number {
  let at = seed;
  return () => {
    at = (at * 16807) % 2147483647;
    return at / 2147483647;
  };
}

describe("a mask", () => {
  it("has the pixels of a polygon whose middle is inside", () => {
    const random = chance(7);
    for (let i = 0; i < 50; i++) {
      const points = Array.from({ length: 3 + (i % 6) }, () => [10 * random() - 0.5, 14 * random() - 1]);
      const polygon = points.map(([y = 0, x = 0]) => [x, y] as const);
      const expected = Array.from({ length: pixels }, (_, at) =>
        Number(isInside(polygon, (at % SIZE.width) + 0.5, Math.floor(at / SIZE.width) + 0.5)),
      );
      expect([...maskOf({ points, runs: [] }, SIZE)]).toEqual(expected);
    }
  });

  it("has those whose middle is on its edge, as Python has", () => {
    const onSide = ([y0, x0]: Point, [y1, x1]: Point, y: number, x: number) =>
      (x1 - x0) * (y - y0) === (y1 - y0) * (x - x0) && (y - y0) * (y - y1) <= 0 && (x - x0) * (x - x1) <= 0;
    const random = chance(11);
    let edged = 0;
    for (let i = 0; i < 200; i++) {
      // Corners in the middles of pixels and on their edges, as the keys put them.
      const half = (most: number) => Math.round(2 * most * random()) / 2;
      const points = Array.from({ length: 3 + (i % 4) }, () => [half(9), half(12)] as const);
      const polygon = points.map(([y, x]) => [x, y] as const);
      const expected = Array.from({ length: pixels }, (_, at) => {
        const [y, x] = [Math.floor(at / SIZE.width) + 0.5, (at % SIZE.width) + 0.5];
        const edge = points.some((point, n) => onSide(points.at(n - 1) as Point, point, y, x));
        edged += Number(edge);
        return Number(edge || isInside(polygon, x, y));
      });
      expect([...maskOf({ points: points.map((point) => [...point]), runs: [] }, SIZE)]).toEqual(expected);
    }
    expect(edged).toBeGreaterThan(400);
  });

  it("has those of runs, which may go on in the next row, and is turned to the same runs", () => {
    const runs = [3, 2, 10, 5, 107, 1];
    const mask = maskOf({ points: [], runs }, SIZE);
    expect([...mask].flatMap((one, at) => (one ? [at] : []))).toEqual([3, 4, 10, 11, 12, 13, 14, 107]);
    expect(runsOf(mask)).toEqual(runs);
    expect([runsOf(maskOf(null, SIZE)), maskOf(null, SIZE).length]).toEqual([[], pixels]);
  });
});

describe("a stroke", () => {
  const near = ([y0, x0]: Point, [y1, x1]: Point, y: number, x: number) =>
    // The nearest of many points of the line.
    Math.min(
      ...Array.from({ length: 2001 }, (_, i) =>
        Math.hypot(y - y0 - (i / 2000) * (y1 - y0), x - x0 - (i / 2000) * (x1 - x0)),
      ),
    );

  it.each([
    [[4.5, 3], [4.5, 9], 1.6],
    [[2, 2], [7, 10], 2.2],
    [[4, 4], [4, 4], 3.1],
    [[-3, -2], [12, 14], 1.3],
  ] as [Point, Point, number][])("covers what is near its line: %j to %j", (from, to, radius) => {
    const mask = new Uint8Array(pixels);
    expect(stroke(mask, SIZE, from, to, radius, 1)).toBe(true);
    const expected = Array.from({ length: pixels }, (_, at) =>
      Number(near(from, to, Math.floor(at / SIZE.width) + 0.5, (at % SIZE.width) + 0.5) <= radius),
    );
    const known = (y: number, x: number) => Math.floor(y) * SIZE.width + Math.floor(x);
    for (const [y, x] of [from, to]) if (y >= 0 && y < 9 && x >= 0 && x < 12) expected[known(y, x)] = 1;
    expect([...mask]).toEqual(expected);
  });

  it("of the smallest brush is the pixel under it, wherever in it", () => {
    for (const at of [0.01, 0.5, 0.99]) {
      const mask = new Uint8Array(pixels);
      stroke(mask, SIZE, [3 + at, 5 + at], [3 + at, 5 + at], 0.5, 1);
      expect(runsOf(mask)).toEqual([3 * 12 + 5, 1]);
    }
  });

  it("erases, and says whether it has changed anything", () => {
    const mask = new Uint8Array(pixels).fill(1);
    expect(stroke(mask, SIZE, [4.5, 0], [4.5, 12], 0.5, 0)).toBe(true);
    expect(runsOf(mask)).toEqual([0, 48, 60, 48]);
    expect(stroke(mask, SIZE, [4.5, 0], [4.5, 12], 0.5, 0)).toBe(false);
    expect(stroke(mask, SIZE, [-40, -40], [-40, -40], 3, 0)).toBe(false);
  });
});

describe("outlines", () => {
  it("of a rectangle are its four corners", () => {
    const mask = new Uint8Array(pixels);
    stroke(mask, SIZE, [2.5, 3.5], [2.5, 6.5], 0.5, 1);
    const [outline, ...others] = outlinesOf(mask, SIZE);
    expect(others).toEqual([]);
    expect(outline).toEqual([
      [2, 3],
      [2, 7],
      [3, 7],
      [3, 3],
    ]);
  });

  it("of a ring are two, and pixels that share a corner have one each", () => {
    const ring = maskOf({ points: [], runs: [0, 3, 12, 1, 14, 1, 24, 3] }, SIZE);
    expect(outlinesOf(ring, SIZE).map((one) => one.length)).toEqual([4, 4]);
    const corners = maskOf({ points: [], runs: [0, 1, 13, 1] }, SIZE);
    expect(outlinesOf(corners, SIZE)).toHaveLength(2);
  });

  it("hold the same pixels again", () => {
    const random = chance(3);
    for (let i = 0; i < 30; i++) {
      const mask = Uint8Array.from({ length: pixels }, () => Number(random() < 0.4));
      const outlines = outlinesOf(mask, SIZE).map((line) => line.map(([y, x]) => [x, y] as const));
      const again = Array.from(mask, (_, at) => {
        const [x, y] = [(at % SIZE.width) + 0.5, Math.floor(at / SIZE.width) + 0.5];
        return outlines.filter((line) => isInside(line, x, y)).length % 2;
      });
      expect(again).toEqual([...mask]);
    }
  });
});
