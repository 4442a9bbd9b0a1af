// Small frames under the curve, the playhead over both, and the range that plays.

import type { SmallFrame } from "../sources/strip";
import { chooseLoop, goTo } from "../state/actions";
import { framesOf, frameToward, nearestFrame } from "../state/saved";
import { ready } from "../state/store";
import { attribute, h } from "../ui/dom";
import type { View } from "../ui/view";

const GAP = 1;

export function createFilmStrip(view: View) {
  const { store, strip } = view.session;
  const canvas = h("canvas", { class: "cw-film", "data-testid": "film", width: 1, height: 1 });
  const head = h("i", { class: "cw-playhead", "data-testid": "playhead" });
  const outside = [h("i", { class: "cw-outside" }), h("i", { class: "cw-outside" })] as const;
  const track = h("div", { class: "cw-track", "aria-hidden": "true" }, canvas, ...outside, head);
  const ends = (["first", "last"] as const).map((end) =>
    h("input", {
      class: "cw-loop-end",
      type: "range",
      min: 0,
      step: 1,
      "aria-label": `${end === "first" ? "First" : "Last"} frame that plays`,
      title: "The frames that play; double-click for all",
      "data-testid": `loop-${end}`,
    }),
  ) as [HTMLInputElement, HTMLInputElement];
  const bar = h("i", { class: "cw-loop-bar" });
  const loop = h("div", { class: "cw-loop" }, bar, ...ends);

  const count = () => {
    const info = store._canvas.value;
    return ready(info) ? info.n_frames : 0;
  };
  const part = (time: number) => (count() > 1 ? time / (count() - 1) : 0);

  // --- the pictures ---------------------------------------------------------------------------------------------

  /** The frames that there is room for, evenly spaced. */
  const shownFrames = (width: number, height: number): number[] => {
    const info = store._canvas.peek();
    if (!ready(info) || width < 8 || height < 8) return [];
    const cells = Math.max(
      1,
      Math.min(info.n_frames, Math.floor(width / (height * (info.width / info.height)))),
    );
    const frames = framesOf(info);
    return Array.from({ length: cells }, (_, i) => {
      const middle = Math.round(((i + 0.5) / cells) * (info.n_frames - 1));
      return frames[nearestFrame(frames, middle)] ?? middle;
    });
  };
  const paint = view.painter(() => {
    const { clientWidth: width, clientHeight: height } = canvas;
    // Without a size the strip is not laid out at the moment: paint nothing, as in the grid.
    if (width === 0 || height === 0) return;
    const frames = shownFrames(width, height);
    strip.want(view, frames);
    const scale = window.devicePixelRatio || 1;
    const [w, hgt] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== w) canvas.width = Math.max(1, w);
    if (canvas.height !== hgt) canvas.height = Math.max(1, hgt);
    const context = canvas.getContext("2d");
    if (!context?.drawImage) return;
    context.clearRect(0, 0, w, hgt);
    let drawn = 0;
    frames.forEach((time, i) => {
      const small = strip.frame(time);
      if (!small) return;
      const [left, right] = [(i * w) / frames.length, ((i + 1) * w) / frames.length - GAP * scale];
      cover(context, small, left, right - left, hgt);
      drawn += 1;
    });
    attribute(canvas, "data-drawn", `${drawn}/${frames.length}`);
  });
  view.effect(() => {
    store._canvas.value;
    strip.arrivals.value;
    store.run.value;
    paint();
  });
  view.whenResized(canvas, paint);
  view.signal.addEventListener("abort", () => {
    strip.forget(view);
  });

  // --- playhead and loop ----------------------------------------------------------------------------------------

  view.effect(() => {
    // It is as wide as the track: moved by its own width, which moves no layout.
    head.style.transform = `translateX(${part(store.time.value) * 100}%)`;
  });
  view.effect(() => {
    const n = count();
    const frames = framesOf(store._canvas.value);
    const [first, last] = store.loop.value ?? [frames[0] ?? 0, frames.at(-1) ?? 0];
    for (const [end, value] of [
      [ends[0], first ?? 0],
      [ends[1], last ?? 0],
    ] as const) {
      attribute(end, "max", Math.max(1, n - 1));
      if (end.valueAsNumber !== value) end.value = String(value);
      attribute(end, "aria-valuetext", `frame ${value}`);
    }
    const [from, to] = [part(first ?? 0), part(last ?? 0)];
    Object.assign(bar.style, { left: `${from * 100}%`, right: `${(1 - to) * 100}%` });
    outside[0].style.right = `${(1 - from) * 100}%`;
    outside[1].style.left = `${to * 100}%`;
    attribute(loop, "data-all", store.loop.value === null);
  });
  const choose = (end: 0 | 1) => {
    const frames = framesOf(store._canvas.peek());
    const before = store.loop.peek() ?? [frames[0] ?? 0, frames.at(-1) ?? 0];
    const [first = 0, last = 0] = ends.map((input, i) =>
      frameToward(frames, before[i] ?? 0, input.valueAsNumber),
    );
    // The ends stay at least one frame apart: the end that is moved stops.
    if (first >= last)
      chooseLoop(
        store,
        end === 0 ? frameToward(frames, last, last - 1) : first,
        end === 0 ? last : frameToward(frames, first, first + 1),
      );
    else chooseLoop(store, first, last);
    const [low, high] = store.loop.peek() ?? [frames[0] ?? 0, frames.at(-1) ?? 0];
    ends[0].value = String(low);
    ends[1].value = String(high);
  };
  ends.forEach((end, i) => void end.addEventListener("input", () => choose(i as 0 | 1)));
  loop.addEventListener("dblclick", () => chooseLoop(store, 0, count() - 1));

  const seek = (event: PointerEvent) => {
    const { left, width } = track.getBoundingClientRect();
    if (width > 0) goTo(store, ((event.clientX - left) / width) * (count() - 1));
  };
  track.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    track.setPointerCapture?.(event.pointerId);
    seek(event);
  });
  track.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) seek(event);
  });
  return { track, loop };
}

/** Fills a cell with the middle of a picture. */
function cover(
  context: CanvasRenderingContext2D,
  { height, width, rgb }: SmallFrame,
  left: number,
  cellWidth: number,
  cellHeight: number,
): void {
  const picture = document.createElement("canvas");
  picture.width = width;
  picture.height = height;
  const inner = picture.getContext("2d");
  if (!inner) return;
  const image = inner.createImageData(width, height);
  for (let from = 0, to = 0; from < width * height * 3; from += 3, to += 4)
    image.data.set([rgb[from] ?? 0, rgb[from + 1] ?? 0, rgb[from + 2] ?? 0, 255], to);
  inner.putImageData(image, 0, 0);
  const zoom = Math.max(cellWidth / width, cellHeight / height);
  const [w, hgt] = [cellWidth / zoom, cellHeight / zoom];
  context.drawImage(picture, (width - w) / 2, (height - hgt) / 2, w, hgt, left, 0, cellWidth, cellHeight);
}
