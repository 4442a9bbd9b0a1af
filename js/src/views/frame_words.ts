// What is written beside the frame: the total of its map, the frame's number, and what the colours stand for.
import { type ContributionMap, type Frame, isOfContributions } from "../sources/pictures";
import { count, number, percent, plusMinus } from "../state/format";
import { magnitudesOf, OVERLAYS } from "../state/selection";
import type { CanvasInfo } from "../transport/messages";
import type { Style } from "../ui/palette";

/** The sum of a map, which the curve over time shows where there is one. */
export function totalOf(info: CanvasInfo, map: ContributionMap): string | null {
  const { layer, channel, band } = map.selection;
  return isOfContributions(map) && !band
    ? `total${magnitudesOf(info, layer, channel).short} ${map.sampled ? "≈ " : ""}${number(map.total)}`
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

/** What the colours over the frame stand for. */
export function unitOf(map: ContributionMap, maps: Style["maps"]): string {
  const { overlay = "selection" } = map.selection;
  if (!isOfContributions(map)) return named(OVERLAYS[overlay], map);
  return maps === "signed" ? "contribution" : "contribution, magnitude";
}
