// What is written beside the frame: the total of its map, the frame's number, and what the colours stand for.
import type { ContributionMap } from "../sources/pictures";
import { number } from "../state/format";
import { magnitudesOf, OVERLAYS } from "../state/selection";
import type { CanvasInfo } from "../transport/messages";
import type { Style } from "../ui/palette";

/** The sum of a map, which the curve over time shows where there is one. */
export function totalOf(info: CanvasInfo, { selection, total }: ContributionMap): string | null {
  if (selection.overlay && selection.overlay !== "selection") return null;
  return `total${magnitudesOf(info, selection.layer, selection.channel).short} ${number(total)}`;
}

/** A number in as many digits as the largest has, with spaces as wide as digits: what stands beside it does not move. */
export function padded(value: number, largest: number): string {
  return String(value).padStart(String(largest).length, "\u2007");
}

/** What the colours over the frame stand for. */
export function unitOf({ selection: { overlay } }: ContributionMap, maps: Style["maps"]): string {
  if (overlay && overlay !== "selection") return OVERLAYS[overlay];
  return maps === "signed" ? "contribution" : "contribution, magnitude";
}
