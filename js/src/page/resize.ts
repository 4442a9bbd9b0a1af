// Pictures of other sizes: larger by interpolation, smaller by averages over areas.

export interface Size {
  height: number;
  width: number;
}

/** Where each place of the longer axis falls between two of the shorter one. */
function between(from: number, to: number): { at: Int32Array; part: Float32Array } {
  const [at, part] = [new Int32Array(to), new Float32Array(to)];
  for (let i = 0; i < to; i++) {
    const place = Math.max(0, Math.min(from - 1, ((i + 0.5) * from) / to - 0.5));
    at[i] = Math.min(Math.floor(place), Math.max(0, from - 2));
    part[i] = place - (at[i] ?? 0);
  }
  return { at, part };
}

export function enlarge(data: Uint8Array, from: Size, to: Size, channels = 1): Uint8Array {
  if (from.height === to.height && from.width === to.width) return data;
  const [rows, columns] = [between(from.height, to.height), between(from.width, to.width)];
  const out = new Uint8Array(to.height * to.width * channels);
  const line = from.width * channels;
  const [down, right] = [from.height > 1 ? line : 0, from.width > 1 ? channels : 0];
  for (let y = 0, i = 0; y < to.height; y++) {
    const [top, v] = [(rows.at[y] ?? 0) * line, rows.part[y] ?? 0];
    for (let x = 0; x < to.width; x++) {
      const [left, u] = [(columns.at[x] ?? 0) * channels, columns.part[x] ?? 0];
      for (let c = 0; c < channels; c++, i++) {
        const at = top + left + c;
        const above = (data[at] ?? 0) * (1 - u) + (data[at + right] ?? 0) * u;
        const below = (data[at + down] ?? 0) * (1 - u) + (data[at + down + right] ?? 0) * u;
        out[i] = Math.round(above * (1 - v) + below * v);
      }
    }
  }
  return out;
}

/** The size whose longest side is at most `side`, in the same proportion. */
export function fitted({ height, width }: Size, side: number): Size {
  const scale = Math.min(1, side / Math.max(height, width));
  const part = (length: number) => Math.max(1, Math.round(length * scale));
  return { height: part(height), width: part(width) };
}

/** The mean over each area; whole pixels only, as a thumbnail needs no more. */
export function shrink(
  data: ArrayLike<number>,
  from: Size,
  to: Size,
  channels = 1,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(to.height * to.width * channels);
  for (let y = 0; y < to.height; y++) {
    const top = Math.floor((y * from.height) / to.height);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * from.height) / to.height));
    for (let x = 0; x < to.width; x++) {
      const left = Math.floor((x * from.width) / to.width);
      const right = Math.max(left + 1, Math.floor(((x + 1) * from.width) / to.width));
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let row = top; row < bottom; row++)
          for (let column = left; column < right; column++)
            sum += data[(row * from.width + column) * channels + c] ?? 0;
        out[(y * to.width + x) * channels + c] = sum / ((bottom - top) * (right - left));
      }
    }
  }
  return out;
}

/** Values as levels of their range, as the kernel sends them. */
export function quantise(values: Float32Array, bottom?: number) {
  let [low, high] = [bottom ?? Number.POSITIVE_INFINITY, bottom ?? Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const scale = high > low ? 255 / (high - low) : 0;
  return { low, high, levels: Uint8Array.from(values, (value) => Math.round((value - low) * scale)) };
}
