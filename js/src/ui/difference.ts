// What one picture has more than another, pixel by pixel.

import type { Palettes } from "../sources/palettes";
import { drawnAs, type Frame, type Picture, planeOf } from "../sources/pictures";
import type { Pixels } from "./painting";
import { levelValue, placeOf, type Style, tableOf } from "./palette";

export interface Difference extends Pixels {
  /** The largest, as a magnitude: at it the colours end. */
  top: number;
  /** Whether values have a sign; else 0 is black and the largest white. */
  signed: boolean;
}

/** How far two pictures are apart: the mean over colours, 1 is from black to white. Null where one is no picture. */
export function frameDifference(one: Frame, other: Frame): Difference | null {
  const { width, height, channels } = one;
  if (channels < 3 || other.channels !== channels || other.width !== width || other.height !== height)
    return null;
  const values = new Float32Array(width * height);
  for (let i = 0; i < values.length; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++)
      sum += Math.abs((one.data[i * channels + c] ?? 0) - (other.data[i * channels + c] ?? 0));
    values[i] = sum / channels / 255;
  }
  const top = largest(values);
  const rgba = new Uint8ClampedArray(values.length * 4);
  values.forEach((value, i) => {
    const grey = top > 0 ? (value / top) * 255 : 0;
    rgba.set([grey, grey, grey, 255], i * 4);
  });
  return { width, height, rgba, top, signed: false };
}

/** One map less the other: of the values where they are drawn with their sign, else of the magnitudes. */
export function mapDifference(
  one: Pick<Picture, "map">,
  other: Pick<Picture, "map">,
  style: Style,
  palettes: Palettes,
): Difference | null {
  const [a, b] = [one.map, other.map];
  if (!a || !b || a.width !== b.width || a.height !== b.height) return null;
  const [ours, theirs] = [planeOf(a, drawnAs(a, style.maps)), planeOf(b, drawnAs(b, style.maps))];
  const signed = drawnAs(a, style.maps) === "signed";
  const size = (value: number) => (signed ? value : Math.abs(value));
  const values = new Float32Array(a.width * a.height);
  for (let i = 0; i < values.length; i++)
    values[i] = size(levelValue(ours.data[i] ?? 0, ours)) - size(levelValue(theirs.data[i] ?? 0, theirs));
  const top = largest(values);
  const around: Style = { ...style, maps: "signed" };
  const table = tableOf(palettes, around);
  const rgba = new Uint8ClampedArray(values.length * 4);
  values.forEach((value, i) => {
    const at = Math.round(placeOf(value, top, around)) * 3;
    rgba.set([table[at] ?? 0, table[at + 1] ?? 0, table[at + 2] ?? 0, 255], i * 4);
  });
  return { width: a.width, height: a.height, rgba, top: top / style.contrast, signed: true };
}

function largest(values: Float32Array): number {
  return values.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
}
