// The frame with the selection's contributions over it; the pinned pixel; what lies under the pointer.
import { signal } from "@preact/signals-core";
import type { Picture } from "../sources/pictures";
import type { State } from "../sources/source";
import { isAblated } from "../state/ablated";
import { pin } from "../state/actions";
import { number } from "../state/format";
import { framesOf, savedOf } from "../state/saved";
import { runLabel, selectionKey, selectionLabel } from "../state/selection";
import { canQuantise, ready } from "../state/store";
import type { Source as FrameSource, RunKey } from "../transport/messages";
import { same } from "../transport/same";
import { createContours } from "../ui/contours";
import { createCrossfade } from "../ui/crossfade";
import { attribute, h, svg, write, zoomOf } from "../ui/dom";
import type { ExportPlan } from "../ui/export_png";
import { composePicture } from "../ui/painting";
import { createPanel, segmented } from "../ui/panel";
import { watchPinch } from "../ui/pinch";
import { explain } from "../ui/term_card";
import type { Term } from "../ui/terms";
import type { View } from "../ui/view";
import { FITTED, type Placed, pan, pixelAt, place, type Size, settled, zoomAt } from "../ui/viewport";
import { watchWheel } from "../ui/wheel";
import { createAblationView, withoutLabel } from "./ablation_view";
import { createCarryOffer } from "./carry_offer";
import { createColourBar } from "./colour_bar";
import { createComparisonView } from "./comparison_view";
import { estimated, howEstimated, isGrey, named, padded, totalOf } from "./frame_words";
import { createQuantisationView, quantisedLabel } from "./quantisation_view";
import { readOut } from "./read_out";
import { createRegionList } from "./region_list";
import { drawRegion } from "./region_outline";
import { createRegionHand } from "./region_view";
import { contoursOf, frameStyle } from "./style_of";
import { createZoomControl } from "./zoom_control";

const SOURCES = [
  { value: "reconstruction", text: "reconstruction", term: "reconstruction" },
  { value: "truth", text: "truth", term: "truth" },
  { value: "error", text: "error", term: "error" },
  { value: "quantisation", text: "quantised", term: "quantised" },
  { value: "off", text: "map only", title: "The contributions alone" },
] as const satisfies { value: FrameSource; text: string; title?: string; term?: Term }[];

/** Farther than this many CSS pixels a press is a drag; two clicks within so many ms may be a double click. */
const CLICK = 4;
const DOUBLE = 500;
/** How long, in ms, the words about the wheel stay. */
const HINT = 1600;

export function createFrameView(view: View, more: HTMLElement) {
  const { session } = view;
  const { store, frames, maps, picture, pixels, palettes } = session;
  const panel = createPanel(view, "frame", "Frame", "frame", () => {
    frames.retry();
    maps.retry();
  });
  const sources = segmented<FrameSource>("What lies under the contributions", SOURCES, (source) =>
    store.set({ source }),
  );
  const label = h("span", {});
  const psnr = explain(h("span", { class: "cw-psnr", "data-testid": "psnr", hidden: true }), "PSNR");
  panel.label.append(label, psnr);
  const over = signal(false);
  const ablation = createAblationView(view, picture, over);
  const second = createComparisonView(view, ablation.covered);
  panel.heading.after(second.controls);

  const canvas = h("canvas", { class: "cw-frame-canvas", "data-testid": "frame", width: 1, height: 1 });
  const cross = svg("g", { class: "cw-cross" });
  const outline = svg("g", { class: "cw-region", "data-testid": "region" });
  const tool = svg("g", { class: "cw-tool-marks" });
  const contours = createContours();
  const marks = svg("svg", { class: "cw-marks", "aria-hidden": "true" }, contours.element, outline, cross);
  marks.append(tool);
  const crossfade = createCrossfade(canvas);
  const stage = h("div", { class: "cw-stage", role: "img" }, canvas, crossfade.element);
  stage.append(marks, second.ours);
  const wheelHint = h(
    "p",
    { class: "cw-wheel-hint", "aria-hidden": "true" },
    "Click the picture, or hold Ctrl, to zoom",
  );
  const stages = h("div", { class: "cw-stages" }, stage, second.stage, second.divider, wheelHint);
  panel.body.append(stages);
  const [before, value, after] = [h("span", {}), h("span", { class: "cw-at-value" }), h("span", {})];
  const readout = h("output", { class: "cw-readout", "data-testid": "readout" }, before, value, after);
  const colours = createColourBar(view, ablation.covered, second);
  panel.foot.append(readout, colours.element);
  // Under the picture, which stays where it is when they come and go.
  panel.foot.before(ablation.bar, createQuantisationView(view, picture, over), createRegionList(view));

  const viewport = signal(FITTED);
  const stageSize = signal<Size>({ width: 0, height: 0 });
  const imageSize = (): Size => {
    const info = store._canvas.value;
    const shown = picture.value?.frame ?? picture.value?.map;
    if (shown) return { width: shown.width, height: shown.height };
    return ready(info) ? { width: info.width, height: info.height } : { width: 16, height: 9 };
  };

  // --- painting -------------------------------------------------------------------------------------------------

  let painted: { run: RunKey; time: number; key: string | null; image: ImageData } | null = null;
  const paint = view.painter(() => {
    const shown = picture.peek();
    if (!shown || (!shown.frame && !shown.map)) return;
    const map = ablation.covered(shown) ? shown.map : null;
    const { style, top } = frameStyle(store, map, second.top());
    const { width, height, rgba } = composePicture({ ...shown, map }, style, palettes.peek(), top);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    if (!context) return;
    const image = context.createImageData(width, height);
    image.data.set(rgba);
    context.putImageData(image, 0, 0);
    const now = {
      run: shown.run,
      time: shown.time,
      key: map && `${map.rule}/${selectionKey(map.selection)}`,
      image,
    };
    // One map goes over into another on the same picture; what plays or is scrubbed does not.
    if (painted?.run === now.run && painted.time === now.time && painted.key !== now.key)
      crossfade.start(painted.image);
    painted = now;
    contours.draw(contoursOf(store, map, style, top, width));
    attribute(canvas, "data-time", shown.time);
    attribute(canvas, "data-run", shown.run);
    attribute(canvas, "data-under", map?.rule);
    attribute(canvas, "data-source", shown.frame?.source ?? "off");
    attribute(canvas, "data-selection", map ? selectionKey(map.selection) : "");
    attribute(canvas, "data-out", shown.frame?.out || null);
    writeLabel({ ...shown, map });
  });
  const writeLabel = ({ run, frame, map, time }: Picture) => {
    const info = store._canvas.peek();
    const hasCurve = framesOf(info).length > 1 || store._runs.peek().length > 1; // which says the total itself
    const parts = [
      run === null ? null : runLabel(run),
      withoutLabel(frame),
      quantisedLabel(frame),
      map ? named(selectionLabel(map.selection, store.cluster_names.peek()), map) : null,
      map ? estimated(map, store.maps.peek()) : null,
      map && ready(info) && !hasCurve ? totalOf(info, map) : null,
      frame && isGrey(frame) && (map || frame.source === "error") ? `white is ${number(frame.high)}` : null,
      ready(info) && info.n_frames > 1 ? `frame ${padded(time, info.n_frames - 1)}` : null,
    ].filter((part) => part !== null);
    write(label, parts.join(" · "));
    // With ablated neurons, their list shows the PSNR before and after.
    const decibels = frame?.psnr == null || isAblated(frame.source) ? "" : `${frame.psnr.toFixed(1)} dB`;
    attribute(psnr, "hidden", decibels === "");
    write(psnr, decibels);
    const how = map && estimated(map, store.maps.peek()) ? `. ${howEstimated(map)}` : "";
    attribute(panel.label, "title", parts.join(" · ") + how);
    attribute(stage, "aria-label", [frame?.source ?? "contributions", ...parts].join(", "));
  };
  view.effect(() => {
    frameStyle(store, null, second.top());
    palettes.value;
    store.contours.value;
    store.cluster_names.value;
    if (picture.value) ablation.covered(picture.value);
    if (picture.value) attribute(panel.element, "data-painted", true);
    paint();
  });
  view.effect(() => {
    const info = store._canvas.value;
    sources.press(store.source.value, (source) => {
      if (source === "quantisation") return canQuantise(info);
      return !(source === "truth" || source === "error") || (ready(info) && info.has_truth);
    });
  });
  view.effect(() => {
    const states: State[] = [store.source.value === "off" ? "ready" : frames.state.value, maps.state.value];
    const state = (["error", "loading"] as const).find((one) => states.includes(one)) ?? "ready";
    const waits = state === "ready" && !picture.value;
    panel.stand(
      waits ? "loading" : state,
      frames.state.value === "error" ? frames.error.value : maps.error.value,
    );
  });

  /** The picture that an event is on: of the first run or of the second, which lie alike. */
  const under = (event: Pick<Event, "target">) =>
    second.stage.contains(event.target as Node) ? second : { stage, canvas };
  const hand = createRegionHand(
    view,
    (event) => {
      const { left, top, width, height } = under(event).canvas.getBoundingClientRect();
      const image = imageSize();
      return [
        ((event.clientY - top) / height) * image.height,
        ((event.clientX - left) / width) * image.width,
      ];
    },
    imageSize,
    ([y, x]) => {
      const [{ zoom }, image] = [viewport.peek(), imageSize()];
      if (zoom > 1) viewport.value = { zoom, x: x / image.width, y: y / image.height };
    },
  );
  stages.append(h("div", { class: "cw-on-picture" }, createCarryOffer(view)));
  panel.body.after(...hand.bars);
  const neurons = h(
    "div",
    { class: "cw-segments", role: "group", "aria-label": "Selection" },
    more,
    ablation.button,
  );
  view.effect(() => {
    // A saved page can neither run the model without some neurons nor under another rule.
    neurons.hidden = savedOf(store._canvas.value) !== null;
  });
  panel.tools.append(neurons, hand.element, sources.element);

  // --- where it lies --------------------------------------------------------------------------------------------

  view.effect(() => {
    const size = stageSize.value;
    if (!size.width || !size.height) return;
    const image = imageSize();
    const { left, top, width, height } = place(settled(viewport.value, size, image), size, image);
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    canvas.style.transform = `translate(${left}px, ${top}px)`;
    attribute(stage, "data-zoomed", viewport.value.zoom > 1);
    // Where several pixels of the frame share one of the screen, they are averaged, not picked.
    attribute(stages, "data-averaged", width * (window.devicePixelRatio || 1) < image.width);
    contours.place({ left, top, width, height }, image);
    drawRegion(
      outline,
      hand.drawn.value ?? (picture.value ? store.region.value : null),
      { left, top },
      image,
      width,
      hand.drawn.value !== null,
    );
    hand.draw(tool, { left, top, scale: width / image.width });
    drawCross(
      cross,
      picture.value ? store.pixel.value : null,
      { left, top, width, height },
      width / image.width,
    );
    second.follow({ left, top, width, height }, size, [outline, tool, cross]);
  });
  view.effect(() => {
    attribute(stages, "data-beside", session.comparison.isOn.value && store.comparison.value === "side");
  });
  view.effect(() => {
    const { width, height } = imageSize();
    stages.style.setProperty("--cw-aspect", `${width} / ${height}`);
    view.root.style.setProperty("--cw-ratio", `${width / height}`);
  });
  const measure = () => {
    const [box, scale] = [stage.getBoundingClientRect(), zoomOf(stage)];
    const [width, height] = [box.width / scale, box.height / scale];
    const now = stageSize.peek();
    if (width !== now.width || height !== now.height) stageSize.value = { width, height };
  };
  view.whenResized(stage, measure);
  view.signal.addEventListener("abort", () => {
    clearTimeout(hinting);
  });

  // --- input ----------------------------------------------------------------------------------------------------

  const pointed = (event: MouseEvent) =>
    pixelAt(event.clientX, event.clientY, under(event).canvas.getBoundingClientRect(), imageSize());
  const zoom = (factor: number, at?: Pick<MouseEvent, "clientX" | "clientY" | "target">) => {
    measure();
    const [{ left, top }, scale] = [(at ? under(at).stage : stage).getBoundingClientRect(), zoomOf(stage)];
    const { width, height } = stageSize.peek();
    const point = at
      ? { x: (at.clientX - left) / scale, y: (at.clientY - top) / scale }
      : { x: width / 2, y: height / 2 };
    if (width) viewport.value = zoomAt(viewport.peek(), factor, point, { width, height }, imageSize());
  };
  const reset = () => {
    viewport.value = FITTED;
  };
  stages.append(createZoomControl(view, viewport, (factor) => zoom(factor), reset));
  let grabbed: { x: number; y: number; moved: boolean } | null = null;
  const pinned = () => ({ pixel: store.pixel.peek(), panel: store.panel.peek() });
  let clicked = { at: Number.NEGATIVE_INFINITY, before: pinned() };
  const point = (at: [number, number] | null) => {
    if (!same(at, pixels.hover.peek())) pixels.hover.value = at;
  };
  let hinting: ReturnType<typeof setTimeout> | undefined;
  const showHint = () => {
    attribute(stages, "data-hint", true);
    clearTimeout(hinting);
    hinting = setTimeout(() => attribute(stages, "data-hint", false), HINT);
  };
  const isZoomed = () => viewport.peek().zoom > 1;
  const listen = (one: HTMLElement) => {
    const letGo = () => {
      grabbed = null;
      hand.cancel();
    };
    watchPinch(one, letGo, ({ factor, dx, dy, clientX, clientY }) => {
      letGo();
      const scale = zoomOf(stage);
      viewport.value = pan(viewport.peek(), dx / scale, dy / scale, stageSize.peek(), imageSize());
      zoom(factor, { clientX, clientY, target: one });
      point(null);
    });
    one.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && hand.start(event, one)) return;
      // The middle button moves the picture, also with a tool in hand.
      if (event.button <= 1) grabbed = { x: event.clientX, y: event.clientY, moved: false };
    });
    one.addEventListener("pointermove", (event) => {
      if (hand.move(event)) return point(null);
      if (grabbed && event.buttons & 5) {
        const [dx, dy] = [event.clientX - grabbed.x, event.clientY - grabbed.y];
        if (!grabbed.moved && Math.hypot(dx, dy) < CLICK) return;
        if (!grabbed.moved) one.setPointerCapture?.(event.pointerId);
        const scale = zoomOf(stage);
        viewport.value = pan(viewport.peek(), dx / scale, dy / scale, stageSize.peek(), imageSize());
        grabbed = { x: event.clientX, y: event.clientY, moved: true };
        return point(null);
      }
      point(pointed(event));
    });
    one.addEventListener("pointerup", (event) => {
      if (hand.end()) return;
      const at = event.button === 0 && grabbed && !grabbed.moved ? pointed(event) : null;
      grabbed = null;
      if (!at) return;
      if (event.timeStamp - clicked.at > DOUBLE) clicked = { at: event.timeStamp, before: pinned() };
      pin(store, at);
    });
    one.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault()); // no autoscroll
    one.addEventListener("pointercancel", letGo);
    one.addEventListener("pointerleave", () => {
      hand.out();
      point(null);
    });
    one.addEventListener("dblclick", () => {
      if (hand.finish()) return;
      // A double click fits the frame: undo the pins of its two clicks.
      store.set(clicked.before);
      reset();
    });
    watchWheel(one, view.root, isZoomed, zoom, showHint);
  };
  for (const one of [stage, second.stage]) listen(one);
  view.signal.addEventListener("abort", () => point(null));

  view.effect(() => {
    const read = readOut(view, ablation.covered);
    write(before, read.before);
    write(value, read.value);
    write(after, read.after);
  });
  const plan = (title: string): ExportPlan => ({
    canvas,
    contours: contours.path(),
    pixel: store.pixel.peek(),
    title,
    caption: [label.textContent, psnr.textContent && `PSNR ${psnr.textContent}`].filter(Boolean).join("   "),
    bar: colours.plan(),
  });
  const hands = {
    ablate: ablation.toggle,
    restoreAll: view.session.ablation.restoreAll,
    toolKey: hand.key,
    leaveTool: hand.leave,
  };
  return { element: panel.element, hands, zoom: (factor: number) => zoom(factor), reset, plan };
}

function drawCross(
  cross: SVGElement,
  pixel: number[] | null,
  { left, top, width, height }: Placed,
  scale: number,
): void {
  cross.replaceChildren();
  if (!pixel) return;
  const [y = 0, x = 0] = pixel;
  const side = Math.max(2 * Math.round(scale / 2), 8);
  // On the middle of a screen pixel a thin line stays thin.
  const crisp = (at: number) => Math.floor(at) + 0.5;
  const cx = crisp(left + (x + 0.5) * scale);
  const cy = crisp(top + (y + 0.5) * scale);
  const gap = side / 2 + 3;
  const path = [
    `M${cx - side / 2} ${cy - side / 2}h${side}v${side}h${-side}z`,
    `M${left} ${cy}H${cx - gap}M${cx + gap} ${cy}H${left + width}`,
    `M${cx} ${top}V${cy - gap}M${cx} ${cy + gap}V${top + height}`,
  ].join("");
  cross.append(svg("path", { d: path, class: "cw-halo" }), svg("path", { d: path, class: "cw-line" }));
}
