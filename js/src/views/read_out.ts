// The line under the frame, in words and numbers: the pixel, its contribution, its colour.
import { drawnAs, type Picture, planeOf } from "../sources/pictures";
import { number } from "../state/format";
import { runLabel, selectionKey } from "../state/selection";
import { ready } from "../state/store";
import { same } from "../transport/same";
import { levelValue } from "../ui/palette";
import type { View } from "../ui/view";

/** The contribution, which is written larger, and what stands on both sides of it. */
export interface ReadOut {
  before: string;
  value: string;
  after: string;
}

const GAP = "   ";

/** What is known of the pixel under the pointer, else of the pinned pixel; a contribution where a map covers the picture. */
export function readOut({ session }: View, covered: (picture: Picture) => boolean): ReadOut {
  const { store, pixels, picture } = session;
  const at = pixels.hover.value ?? store.pixel.value;
  if (!at) return { before: "point at a pixel; click to pin it", value: "", after: "" };
  const shown = picture.value;
  const pinned = pixels.pinned.shown.value;
  const known = pixels.preview.value ?? (pinned && same(pinned.pixel, at) ? pinned : null);
  const exact = known?.time === shown?.time && known?.run === shown?.run ? known : null;
  const [y = 0, x = 0] = at;
  const place = `(${y}, ${x})`;
  const parts: string[] = [];
  let value = "";
  // A picture without a map over it has no contribution beside it, which would look like one of this picture.
  const map = shown && covered(shown) ? shown.map : null;
  if (map) {
    const told =
      exact &&
      exact.selected !== null &&
      exact.run === map.run &&
      exact.rule === map.rule &&
      selectionKey(exact.selection) === selectionKey(map.selection)
        ? store.maps.value === "signed"
          ? exact.selected_signed
          : exact.selected
        : null;
    const plane = planeOf(map, drawnAs(map, store.maps.value));
    const level = plane.data[y * map.width + x] ?? 0;
    value = told === null ? `≈ ${number(levelValue(level, plane))}` : number(told);
    const other = session.comparison.isOn.value ? session.comparison.picture.value : null;
    if (other?.map && other.time === shown?.time && other.map.width === map.width) {
      const theirs = planeOf(other.map, drawnAs(other.map, store.maps.value));
      const theirValue = levelValue(theirs.data[y * map.width + x] ?? 0, theirs);
      parts.push(`${runLabel(other.run)} ≈ ${number(theirValue)}`);
    }
  }
  const info = store._canvas.value;
  const grey = ready(info) && info.n_channels === 1;
  if (shown?.frame && shown.frame.channels >= 3) {
    const { data, width, channels } = shown.frame;
    const from = (y * width + x) * channels;
    parts.push(grey ? `value ${data[from]}` : `RGB ${data.subarray(from, from + 3).join(" ")}`);
  } else if (shown?.frame?.source === "difference" || shown?.frame?.source === "quantisation") {
    const level = shown.frame.data[y * shown.frame.width + x] ?? 0;
    const what = shown.frame.source === "difference" ? "lost" : "difference";
    parts.push(`${what} ≈ ${number(levelValue(level, shown.frame))}`);
  } else if (exact) {
    const levels = exact.rgb.map((value) => Math.round(255 * Math.min(1, Math.max(0, value))));
    parts.push(`${grey ? "value" : "RGB"} ${levels.join(" ")}`);
  }
  return {
    before: value ? place + GAP : [place, ...parts].join(GAP),
    value,
    after: value ? parts.map((part) => GAP + part).join("") : "",
  };
}
