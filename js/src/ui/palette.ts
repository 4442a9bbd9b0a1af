// Colour tables: how a level becomes a colour and a transparency. Restyling only rebuilds a table of 256 entries.
import type { Palettes } from "../sources/palettes";
import { CLUSTER_COLOURS, VALUES } from "../transport/constants";
import type { Maps } from "../transport/messages";

const GREY = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));

export interface Style {
  maps: Maps;
  palette: string;
  /** 0 to 1: how much of the picture under it the strongest contribution hides. */
  opacity: number;
  /** At least 1: how many times sooner the table is exhausted. */
  contrast: number;
}

export interface Range {
  low: number;
  high: number;
}

/** The largest magnitude a map's range reaches. */
export function reach({ low, high }: Range): number {
  return Math.max(Math.abs(low), Math.abs(high));
}

export function levelValue(level: number, { low, high }: Range): number {
  return low + (level / 255) * (high - low);
}

export function tableOf(palettes: Palettes, { maps, palette }: Pick<Style, "maps" | "palette">): Uint8Array {
  const name = maps === "signed" ? palettes.diverging[0] : palette;
  const fallback = (maps === "signed" ? palettes.diverging : palettes.sequential)[0];
  return palettes.tables.get(name ?? "") ?? palettes.tables.get(fallback ?? "") ?? GREY;
}

/** The style that draws a map on a scale which others share: the contrast makes up for its own range. */
export function onScale(style: Style, range: Range, top: number): Style {
  return { ...style, contrast: top > 0 ? (style.contrast * reach(range)) / top : 1 };
}

/** Where a value lies in the table, 0 to 255: magnitudes from 0 on, signed values around the middle. */
export function placeOf(
  value: number,
  top: number,
  { maps, contrast }: Pick<Style, "maps" | "contrast">,
): number {
  if (top === 0) return maps === "signed" ? 127.5 : 0;
  const scaled = Math.max(-1, Math.min(1, (value / top) * contrast));
  return maps === "signed" ? 127.5 + 127.5 * scaled : Math.abs(scaled) * 255;
}

/**
 * How much of what lies under it a value hides. With strength `s = |value| / top * contrast` it is
 * `opacity * s * (2 - s)`: nothing where a neuron adds nothing, rising at first twice as fast as the strength, so that
 * weak contributions are seen without the steps of the levels showing.
 */
export function alphaOf(strength: number, { opacity }: Pick<Style, "opacity">): number {
  return opacity * strength * (2 - strength);
}

/** RGBA for each of the 256 levels of a map; see `placeOf` and `alphaOf`. */
export function levelTable(range: Range, style: Style, table: Uint8Array): Uint8ClampedArray {
  const top = reach(range);
  const half = range.low < 0 && range.high > 0 ? (range.high - range.low) / 510 : 0;
  const rgba = new Uint8ClampedArray(1024);
  for (let level = 0; level < 256; level++) {
    const exact = levelValue(level, range);
    // The level nearest to zero may be zero: nothing is drawn where there may be nothing.
    const value = Math.abs(exact) <= half ? 0 : exact;
    const at = Math.round(placeOf(value, top, style)) * 3;
    const strength = top === 0 ? 0 : Math.min(1, (Math.abs(value) / top) * style.contrast);
    rgba.set([table[at] ?? 0, table[at + 1] ?? 0, table[at + 2] ?? 0], level * 4);
    rgba[level * 4 + 3] = 255 * alphaOf(strength, style);
  }
  return rgba;
}

/** The colour of a frequency between two others, in the palette of values; equal factors are equal steps. */
export function frequencyColour(
  palettes: Palettes,
  frequency: number,
  [low, high]: readonly [number, number],
): string | null {
  if (Number.isNaN(frequency)) return null;
  const table = palettes.tables.get(VALUES) ?? GREY;
  const part = high > low ? Math.log(frequency / low) / Math.log(high / low) : 0.5;
  const at = 3 * Math.round(255 * Math.max(0, Math.min(1, part)));
  return `rgb(${table[at] ?? 0}, ${table[at + 1] ?? 0}, ${table[at + 2] ?? 0})`;
}

export function clusterColour(cluster: number): string {
  return CLUSTER_COLOURS[cluster % CLUSTER_COLOURS.length] ?? "transparent";
}
