// Regions as masks of the frame, one byte a pixel: from a polygon or runs, painted on, back to runs, and their outlines.
import type { Region } from "../transport/messages";

/** `[y, x]` in pixels from the top left corner of the frame: the middle of the first pixel is `[0.5, 0.5]`. */
export type Point = readonly [y: number, x: number];

interface Size {
  width: number;
  height: number;
}

/**
 * The pixels of a region; those of a polygon are the ones whose middle is inside, by the even-odd rule, or on its edge: the
 * same as in Python, which computes with them.
 */
export function maskOf(region: Region | null, { width, height }: Size): Uint8Array {
  const mask = new Uint8Array(width * height);
  if (!region) return mask;
  const { points, runs } = region;
  if (points.length === 0) {
    for (let i = 0; i + 1 < runs.length; i += 2) {
      const start = runs[i] ?? 0;
      mask.fill(1, start, start + (runs[i + 1] ?? 0));
    }
    return mask;
  }
  for (let y = 0; y < height; y++) {
    for (const [low, high] of [...spans(points, y + 0.5), ...edges(points, y + 0.5)]) {
      const from = Math.max(0, Math.ceil(low - 0.5 - ROUNDING));
      const to = Math.min(width, Math.floor(high - 0.5 + ROUNDING) + 1);
      if (from < to) mask.fill(1, y * width + from, y * width + to);
    }
  }
  return mask;
}

/** Of where a side crosses a row, in pixels. */
const ROUNDING = 1e-9;
type Points = readonly (readonly number[])[];
type Span = [low: number, high: number];

/** What of a row is inside a polygon. */
function spans(points: Points, y: number): Span[] {
  const crossed: number[] = [];
  points.forEach(([y1 = 0, x1 = 0], i) => {
    const [y0 = 0, x0 = 0] = points.at(i - 1) ?? [];
    if (y1 > y !== y0 > y) crossed.push(x1 + ((x0 - x1) * (y - y1)) / (y0 - y1));
  });
  crossed.sort((a, b) => a - b);
  return crossed.flatMap((low, i): Span[] => (i % 2 ? [] : [[low, crossed[i + 1] ?? low]]));
}

/** The sides that lie along a row, and the corners in it. */
function edges(points: Points, y: number): Span[] {
  return points.flatMap(([y1 = 0, x1 = 0], i): Span[] => {
    const [y0 = 0, x0 = 0] = points.at(i - 1) ?? [];
    if (y1 !== y) return [];
    return [y0 === y ? [Math.min(x0, x1), Math.max(x0, x1)] : [x1, x1]];
  });
}

/** The mask as a region: where each run of pixels starts and how long it is; it may go on in the next row. */
export function runsOf(mask: Uint8Array): number[] {
  const runs: number[] = [];
  for (let start = mask.indexOf(1); start >= 0; ) {
    const end = mask.indexOf(0, start);
    const stop = end < 0 ? mask.length : end;
    runs.push(start, stop - start);
    start = mask.indexOf(1, stop);
  }
  return runs;
}

/**
 * Draws a round brush from one point to another: the pixels whose middle is no farther than `radius` from the line, and
 * those that its ends are in, as `MaskPainter` does. Whether a pixel has changed.
 */
export function stroke(
  mask: Uint8Array,
  { width, height }: Size,
  [y0, x0]: Point,
  [y1, x1]: Point,
  radius: number,
  value: 0 | 1,
): boolean {
  const reach = Math.max(radius, 1);
  const [top, bottom] = [Math.floor(Math.min(y0, y1) - reach), Math.ceil(Math.max(y0, y1) + reach)];
  const [left, right] = [Math.floor(Math.min(x0, x1) - reach), Math.ceil(Math.max(x0, x1) + reach)];
  const [dy, dx] = [y1 - y0, x1 - x0];
  const length = dy * dy + dx * dx;
  let changed = false;
  const set = (y: number, x: number) => {
    const at = y * width + x;
    if (y < 0 || x < 0 || y >= height || x >= width || mask[at] === value) return;
    mask[at] = value;
    changed = true;
  };
  for (let y = Math.max(0, top); y <= Math.min(height - 1, bottom); y++)
    for (let x = Math.max(0, left); x <= Math.min(width - 1, right); x++) {
      const [py, px] = [y + 0.5 - y0, x + 0.5 - x0];
      const part = length ? Math.max(0, Math.min(1, (py * dy + px * dx) / length)) : 0;
      if ((py - part * dy) ** 2 + (px - part * dx) ** 2 <= radius * radius) set(y, x);
    }
  set(Math.floor(y0), Math.floor(x0));
  set(Math.floor(y1), Math.floor(x1));
  return changed;
}

/** The outlines of a mask along the edges of its pixels: closed lines through corners, those of holes turned round. */
export function outlinesOf(mask: Uint8Array, { width, height }: Size): Point[][] {
  // Which ways an edge leaves each corner of a pixel, with the mask on its right: to the right, down, left, up.
  const row = width + 1;
  const steps = [1, row, -1, -row] as const;
  const leaves = new Uint8Array(row * (height + 1));
  const isIn = (y: number, x: number) =>
    y >= 0 && x >= 0 && y < height && x < width && mask[y * width + x] === 1;
  const leave = (corner: number, way: number) => {
    leaves[corner] = (leaves[corner] ?? 0) | (1 << way);
  };
  for (let at = mask.indexOf(1); at >= 0; at = mask.indexOf(1, at + 1)) {
    const [y, x] = [Math.floor(at / width), at % width];
    const corner = y * row + x;
    if (!isIn(y - 1, x)) leave(corner, 0);
    if (!isIn(y, x + 1)) leave(corner + 1, 1);
    if (!isIn(y + 1, x)) leave(corner + row + 1, 2);
    if (!isIn(y, x - 1)) leave(corner + row, 3);
  }
  const outlines: Point[][] = [];
  for (let start = 0; start < leaves.length; start++) {
    while (leaves[start]) {
      const outline: Point[] = [];
      let [corner, way] = [start, -1];
      do {
        const known = leaves[corner] ?? 0;
        // To the right first: pixels that share only a corner have outlines of their own.
        const next = [way + 1, way, way + 3].map((one) => (one + 4) % 4).find((one) => known & (1 << one));
        const taken = way < 0 ? 31 - Math.clz32(known & -known) : (next ?? 0);
        if (taken !== way) outline.push([Math.floor(corner / row), corner % row]);
        leaves[corner] = known & ~(1 << taken);
        way = taken;
        corner += steps[way] ?? 1;
      } while (corner !== start);
      outlines.push(outline);
    }
  }
  return outlines;
}
