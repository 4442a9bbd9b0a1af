// Pictures, maps and colour tables made of formulas.
import type { Selection } from "../src/transport/messages";

export function noise(seed: number): number {
  const x = Math.sin(seed * 127.1 + 11.7) * 43758.5453;
  return x - Math.floor(x);
}

export function seedOf(selection: Selection): number {
  const neuron = selection.neuron ?? selection.neurons.at(-1);
  return neuron ? neuron.reduce((s, n) => s * 31 + n, 7) : 3 + selection.cluster;
}

/** A few soft blobs with a ripple, moving with time; signed for neurons. */
export function mapValues(
  height: number,
  width: number,
  seed: number,
  time: number,
  signed: boolean,
): Float32Array {
  const out = new Float32Array(height * width);
  const blobs = Array.from({ length: 3 }, (_, b) => ({
    y: noise(seed + b * 3.1) * height,
    x: ((noise(seed + b * 5.7) + time * 0.012 * (b + 1)) % 1) * width,
    r: (0.06 + 0.14 * noise(seed + b * 9.2)) * width,
    a: (signed && b === 1 ? -1 : 1) * (0.3 + noise(seed + b)),
  }));
  const angle = noise(seed + 0.3) * Math.PI;
  const wave = 2 + 6 * noise(seed + 0.9);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const ripple =
        0.6 +
        0.4 *
          Math.sin(((x * Math.cos(angle) + y * Math.sin(angle)) / width) * wave * 2 * Math.PI + time * 0.2);
      let value = 0;
      for (const { y: cy, x: cx, r, a } of blobs)
        value += a * Math.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * r * r)) * ripple;
      out[y * width + x] = value * 0.05 * (0.2 + noise(seed + 0.5));
    }
  return out;
}

export function levels(values: Float32Array): { low: number; high: number; data: Uint8Array } {
  let [low, high] = [0, 1e-9];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return { low, high, data: Uint8Array.from(values, (v) => Math.round(((v - low) / (high - low)) * 255)) };
}

export function scene(height: number, width: number, time: number, soft: boolean): Uint8Array {
  const data = new Uint8Array(height * width * 3);
  const sunX = width * (0.2 + 0.02 * time);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const hill = height * (0.62 + 0.1 * Math.sin(x / 37 + time * 0.05) + 0.05 * Math.sin(x / 11));
      const near = height * (0.8 + 0.06 * Math.sin(x / 23 - time * 0.1));
      const sun = Math.exp(-((x - sunX) ** 2 + (y - height * 0.25) ** 2) / 250);
      let rgb = [120 + 90 * (y / height) + 120 * sun, 165 + 50 * (y / height) + 80 * sun, 225 - 30 * sun];
      if (y > hill) rgb = [70 + 20 * Math.sin(x / 5), 120 + 18 * Math.sin(x / 7 + y / 3), 80];
      if (y > near) rgb = [48, 92 + 30 * noise(x * 3.3 + y * 7.7) * (soft ? 0.4 : 1), 44];
      data.set(
        rgb.map((v) => Math.max(0, Math.min(255, v))),
        (y * width + x) * 3,
      );
    }
  return data;
}

export const ANCHORS: Record<string, number[][]> = {
  viridis: [
    [68, 1, 84],
    [59, 82, 139],
    [33, 145, 140],
    [94, 201, 98],
    [253, 231, 37],
  ],
  magma: [
    [0, 0, 4],
    [81, 18, 124],
    [183, 55, 121],
    [252, 137, 97],
    [252, 253, 191],
  ],
  cividis: [
    [0, 34, 78],
    [64, 77, 107],
    [124, 123, 120],
    [187, 173, 108],
    [254, 232, 56],
  ],
  gray: [
    [0, 0, 0],
    [255, 255, 255],
  ],
  RdBu_r: [
    [5, 48, 97],
    [67, 147, 195],
    [247, 247, 247],
    [214, 96, 77],
    [103, 0, 31],
  ],
};

export function palettes(): Uint8Array {
  const out: number[] = [];
  for (const anchors of Object.values(ANCHORS))
    for (let i = 0; i < 256; i++) {
      const at = (i / 255) * (anchors.length - 1);
      const [a, b] = [anchors[Math.floor(at)], anchors[Math.ceil(at)]];
      for (let c = 0; c < 3; c++)
        out.push(Math.round((a?.[c] ?? 0) + (at % 1) * ((b?.[c] ?? 0) - (a?.[c] ?? 0))));
    }
  return Uint8Array.from(out);
}
