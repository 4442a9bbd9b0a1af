// Pixels: a frame, a map over it, and thumbnails of maps alone.

import type { Palettes } from "../sources/palettes";
import { drawnAs, type Frame, type Picture, planeOf } from "../sources/pictures";
import { FADED, LUMA } from "../transport/constants";
import { alphaOf, levelTable, onScale, type Range, type Style, tableOf } from "./palette";

/** So many are enough for a mean. */
const GROUND_PIXELS = 4000;

export interface Pixels {
  width: number;
  height: number;
  rgba: Uint8ClampedArray<ArrayBuffer>;
}

/**
 * The picture of the frame panel, at the frame's own size. With no frame under it (source "off") the map is opaque.
 * A map of another size than the frame is read at the nearest pixel. `top` is where the colours of a map end, if that is
 * not the largest of its own magnitudes.
 */
export function composePicture(
  { frame, map }: Pick<Picture, "frame" | "map">,
  style: Style,
  palettes: Palettes,
  top: number | null = null,
): Pixels {
  const { width, height } = frame ?? map ?? { width: 1, height: 1 };
  const rgba = new Uint8ClampedArray(width * height * 4);
  if (frame?.source === "difference") {
    const signed = { ...style, maps: "signed", opacity: 1 } as const;
    const colours = levelTable(frame, signed, tableOf(palettes, signed));
    for (let level = 0; level < 256; level++) colours[level * 4 + 3] = 255;
    blend(rgba, frame.data, colours);
  } else if (frame) paintFrame(rgba, frame.data, frame.channels);
  if (map) {
    if (frame) fade(rgba, frame, style);
    const drawn = { ...style, maps: drawnAs(map, style.maps) };
    const plane = planeOf(map, drawn.maps);
    const how = top === null ? drawn : onScale(drawn, plane, top);
    const colours = levelTable(plane, how, tableOf(palettes, how));
    if (!frame) for (let level = 0; level < 256; level++) colours[level * 4 + 3] = 255;
    if (map.width === width && map.height === height) blend(rgba, plane.data, colours);
    else blend(rgba, resample(plane.data, map, { width, height }), colours);
  }
  return { width, height, rgba };
}

/** The colours of a bar from the lowest value to the highest, as they lie over a ground; without one they are opaque. */
export function composeBar(style: Style, palettes: Palettes, ground: readonly number[] | null) {
  const table = tableOf(palettes, style);
  const rgba = new Uint8ClampedArray(1024);
  for (let i = 0; i < 256; i++) {
    const strength = style.maps === "signed" ? Math.abs(i - 127.5) / 127.5 : i / 255;
    const alpha = ground ? alphaOf(strength, style) : 1;
    for (let c = 0; c < 3; c++) {
      const under = ground?.[c] ?? 0;
      rgba[i * 4 + c] = under + alpha * ((table[i * 3 + c] ?? 0) - under);
    }
    rgba[i * 4 + 3] = 255;
  }
  return rgba;
}

/** The mean colour of a frame: what its map lies over. */
export function groundOf(frame: Frame, style: Style, palettes: Palettes): number[] {
  const { rgba } = composePicture({ frame, map: null }, style, palettes);
  const step = 4 * Math.max(1, Math.floor(rgba.length / 4 / GROUND_PIXELS));
  const sum = [0, 0, 0];
  let n = 0;
  for (let at = 0; at < rgba.length; at += step, n++)
    for (let c = 0; c < 3; c++) sum[c] = (sum[c] ?? 0) + (rgba[at + c] ?? 0);
  const mean = Uint8ClampedArray.of(...sum.map((value) => value / Math.max(1, n)), 255);
  fade(mean, frame, style);
  return [...mean.subarray(0, 3)];
}

export function composeThumbnail(levels: Uint8Array, range: Range, style: Style, palettes: Palettes) {
  const colours = levelTable(range, { ...style, opacity: 1 }, tableOf(palettes, style));
  const rgba = new Uint8ClampedArray(levels.length * 4);
  for (let i = 0; i < levels.length; i++) {
    const at = (levels[i] ?? 0) * 4;
    rgba[i * 4] = colours[at] ?? 0;
    rgba[i * 4 + 1] = colours[at + 1] ?? 0;
    rgba[i * 4 + 2] = colours[at + 2] ?? 0;
    rgba[i * 4 + 3] = 255;
  }
  return rgba;
}

function paintFrame(rgba: Uint8ClampedArray, data: Uint8Array, channels: number): void {
  const colour = channels >= 3 ? 1 : 0;
  for (let to = 0, from = 0; to < rgba.length; to += 4, from += channels) {
    rgba[to] = data[from] ?? 0;
    rgba[to + 1] = data[from + colour] ?? 0;
    rgba[to + 2] = data[from + 2 * colour] ?? 0;
    rgba[to + 3] = 255;
  }
}

/** Takes colour from a frame under a map, so that the colours of both are not mistaken; a difference keeps its palette. */
function fade(rgba: Uint8ClampedArray, { source }: Frame, { opacity }: Style): void {
  if (source === "difference") return;
  const part = FADED * opacity;
  for (let at = 0; at < rgba.length; at += 4) {
    const [r, g, b] = [rgba[at] ?? 0, rgba[at + 1] ?? 0, rgba[at + 2] ?? 0];
    const grey = part * (LUMA[0] * r + LUMA[1] * g + LUMA[2] * b);
    rgba[at] = r + grey - part * r;
    rgba[at + 1] = g + grey - part * g;
    rgba[at + 2] = b + grey - part * b;
  }
}

function blend(rgba: Uint8ClampedArray, levels: Uint8Array, colours: Uint8ClampedArray): void {
  for (let i = 0, to = 0; to < rgba.length; i++, to += 4) {
    const at = (levels[i] ?? 0) * 4;
    const alpha = (colours[at + 3] ?? 0) / 255;
    if (alpha === 0) continue;
    for (let c = 0; c < 3; c++) {
      const under = rgba[to + c] ?? 0;
      rgba[to + c] = under + alpha * ((colours[at + c] ?? 0) - under);
    }
    rgba[to + 3] = 255;
  }
}

type Size = { width: number; height: number };

function resample(levels: Uint8Array, from: Size, to: Size): Uint8Array {
  const out = new Uint8Array(to.width * to.height);
  for (let y = 0; y < to.height; y++) {
    const row = Math.floor((y * from.height) / to.height) * from.width;
    for (let x = 0; x < to.width; x++)
      out[y * to.width + x] = levels[row + Math.floor((x * from.width) / to.width)] ?? 0;
  }
  return out;
}
