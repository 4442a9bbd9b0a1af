// What is written beside the frame: the total of its map, the frame's number, and what the colours stand for.
import { type ContributionMap, type Frame, isOfContributions } from "../sources/pictures";
import { count, number, percent, plusMinus } from "../state/format";
import { magnitudesOf, OVERLAYS } from "../state/selection";
import type { CanvasInfo, Overlay } from "../transport/messages";
import type { Style } from "../ui/palette";

/** The sum of a map, which the curve over time shows where there is one. */
export function totalOf(info: CanvasInfo, map: ContributionMap): string | null {
  const { layer, channel, band } = map.selection;
  return isOfContributions(map) && !band
    ? `total ${map.sampled ? "≈ " : ""}${number(map.total)}${magnitudesOf(info, layer, channel).short}`
    : null;
}

/** Whether a picture is of how far two others are apart: 0 is black, the largest number white. */
export function isGrey({ source }: Frame): boolean {
  return source === "error" || source === "quantisation";
}

/** A number in as many digits as the largest has, with spaces as wide as digits: what stands beside it does not move. */
export function padded(value: number, largest: number): string {
  return String(value).padStart(String(largest).length, "\u2007");
}

/** With the way that a derivative was computed. */
export function named(name: string, { by }: ContributionMap): string {
  return by ? `${name}, by ${by}` : name;
}

/** What to say of a map that is estimated; null of an exact one, as a sum with signs always is. */
export function estimated(map: ContributionMap, maps: Style["maps"]): string | null {
  if (!map.sampled || (isOfContributions(map) && maps === "signed")) return null;
  return `estimated${plusMinus(map.sampled.error)}`;
}

/** The same at length. */
export function howEstimated({ sampled, height, width }: ContributionMap): string {
  if (!sampled) return "";
  const { pixels, passes, error } = sampled;
  const whole = `Exact at ${count(pixels)} of ${count(height * width)} pixels, from ${count(passes)} passes of the model`;
  if (error === 0) return whole;
  return `${whole}; interpolated between, where the look before was off by ${percent(error)} in the mean`;
}

/** What the colours over the frame stand for: a word, what is added to it where there is room, and the unit. */
export interface Scale {
  what: string;
  more: string;
  unit: string;
}

const LEVELS = "raw level";
const UNITS: Record<Overlay, string> = {
  selection: LEVELS,
  neurons: "",
  intensity: "each scaled to 0..1",
  change: LEVELS,
  gradient: "levels a pixel",
  laplacian: "levels a pixel²",
  picture: LEVELS,
};

/** Of the colours of a map; figures have the same units. */
export function scaleOf(map: ContributionMap, maps: Style["maps"]): Scale {
  const { overlay = "selection" } = map.selection;
  const unit = UNITS[overlay];
  if (isOfContributions(map))
    return { what: "contribution", more: maps === "signed" ? "" : ", magnitude", unit };
  const [what = "", ...more] = named(OVERLAYS[overlay], map).split(", ");
  return { what, more: more.map((part) => `, ${part}`).join(""), unit };
}

/** Of the colours of how far two pictures are apart. */
export const OF_DIFFERENCES: Scale = { what: "difference", more: "", unit: LEVELS };
