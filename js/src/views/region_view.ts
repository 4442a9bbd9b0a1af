// A region drawn on the frame: a box by shift-drag, a lasso with Alt as well, or either with its tool.
import { type Signal, signal } from "@preact/signals-core";
import { chooseRegion } from "../state/actions";
import { keepRegion } from "../state/regions";
import { savedOf } from "../state/saved";
import { MAX_REGIONS } from "../transport/constants";
import type { Region } from "../transport/messages";
import { same } from "../transport/same";
import { attribute, h, icon, svg } from "../ui/dom";
import type { View } from "../ui/view";
import type { Size } from "../ui/viewport";

type Tool = "box" | "lasso";
type Point = [y: number, x: number];

const TOOLS = {
  box: "Draw a box (or drag with Shift)",
  lasso: "Draw around a region (or drag with Shift and Alt)",
} as const;
/** Points of a lasso that are closer than this part of the frame's width are dropped. */
const FINE = 1 / 300;
const MOST_POINTS = 1000;
/** A smaller drag than this, in CSS pixels, draws nothing. */
const SLIP = 4;

function usable(button: HTMLButtonElement, can: boolean): void {
  attribute(button, "aria-disabled", can ? null : "true");
}

function isUsable(button: HTMLButtonElement): boolean {
  return !button.hasAttribute("aria-disabled");
}

export function createRegionHand(
  view: View,
  locate: (event: PointerEvent) => number[],
  frameSize: () => Size,
) {
  const { store } = view.session;
  const tool: Signal<Tool | null> = signal(null);
  const drawn: Signal<Region | null> = signal(null);
  let gesture: { tool: Tool; from: [number, number]; points: Point[]; moved: boolean } | null = null;

  const buttons = (Object.keys(TOOLS) as Tool[]).map((name) =>
    h("button", {
      class: "cw-segment cw-tool",
      type: "button",
      "aria-label": TOOLS[name],
      title: TOOLS[name],
      "data-testid": `tool-${name}`,
      on: {
        click: () => {
          tool.value = tool.peek() === name ? null : name;
        },
      },
    }),
  );
  buttons.forEach((button, i) => void button.append(icon((Object.keys(TOOLS) as Tool[])[i] as Tool)));
  const clear = h(
    "button",
    {
      class: "cw-segment cw-tool",
      type: "button",
      "aria-label": "Clear the region",
      title: "Clear the region",
      "data-testid": "clear-region",
      on: { click: () => isUsable(clear) && chooseRegion(store, null) },
    },
    "×",
  );
  const keep = h(
    "button",
    {
      class: "cw-segment cw-tool",
      type: "button",
      "aria-label": "Keep the region in the list",
      title: "Keep the region in the list below",
      "data-testid": "keep-region",
      on: { click: () => isUsable(keep) && keepRegion(store) },
    },
    "+",
  );
  const element = h(
    "div",
    { class: "cw-segments", role: "group", "aria-label": "Region" },
    ...buttons,
    keep,
    clear,
  );
  view.effect(() => {
    buttons.forEach((button, i) => {
      attribute(button, "aria-pressed", String(tool.value === (Object.keys(TOOLS) as Tool[])[i]));
    });
    const region = store.region.value;
    const kept =
      region !== null && store.regions.value.some(({ frames }) => frames.some((one) => same(one, region)));
    // Disabled, not hidden: a second click would hit the button that moves into a hidden one's place.
    usable(clear, region !== null);
    usable(keep, region !== null && !kept && store.regions.value.length < MAX_REGIONS);
    // The list of regions needs a kernel.
    keep.hidden = savedOf(store._canvas.value) !== null;
  });

  const located = (event: PointerEvent): Point => {
    const [y = 0, x = 0] = locate(event);
    const { height, width } = frameSize();
    return [Math.max(0, Math.min(height, y)), Math.max(0, Math.min(width, x))];
  };
  const region = (): Region | null => {
    if (!gesture?.moved) return null;
    const [first, last] = [gesture.points[0], gesture.points.at(-1)];
    if (!first || !last) return null;
    if (gesture.tool === "lasso") {
      const points = gesture.points.map((point) => point.map((value) => Math.round(value * 100) / 100));
      return points.length < 3 ? null : { points, runs: [] };
    }
    // A box contains every pixel that it touches.
    const [top, bottom] = [Math.floor(Math.min(first[0], last[0])), Math.ceil(Math.max(first[0], last[0]))];
    const [left, right] = [Math.floor(Math.min(first[1], last[1])), Math.ceil(Math.max(first[1], last[1]))];
    if (top === bottom || left === right) return null;
    return {
      points: [
        [top, left],
        [top, right],
        [bottom, right],
        [bottom, left],
      ],
      runs: [],
    };
  };

  return {
    element,
    /** The region as far as it is drawn. */
    drawn,
    start(event: PointerEvent, stage: HTMLElement): boolean {
      const chosen = event.shiftKey ? (event.altKey ? "lasso" : (tool.peek() ?? "box")) : tool.peek();
      if (!chosen) return false;
      event.preventDefault();
      stage.setPointerCapture?.(event.pointerId);
      gesture = {
        tool: chosen,
        from: [event.clientX, event.clientY],
        points: [located(event)],
        moved: false,
      };
      return true;
    },
    move(event: PointerEvent): boolean {
      if (!gesture) return false;
      const [x, y] = gesture.from;
      gesture.moved ||= Math.hypot(event.clientX - x, event.clientY - y) >= SLIP;
      const point = located(event);
      const last = gesture.points.at(-1);
      if (gesture.tool === "box") gesture.points = [gesture.points[0] ?? point, point];
      else if (
        last &&
        gesture.points.length < MOST_POINTS &&
        Math.hypot(point[0] - last[0], point[1] - last[1]) >= frameSize().width * FINE
      )
        gesture.points.push(point);
      drawn.value = region();
      return true;
    },
    /** True when the press was for a region. A click with a tool pins a pixel, as without. */
    end(): boolean {
      if (!gesture) return false;
      const found = region();
      gesture = null;
      drawn.value = null;
      if (found) chooseRegion(store, found);
      return found !== null;
    },
    /** Puts the tool away; whether one was in hand. */
    leave(): boolean {
      const had = tool.peek() !== null;
      tool.value = null;
      return had;
    },
    cancel(): void {
      gesture = null;
      drawn.value = null;
    },
  };
}

/** The region's outline as an SVG path; a mask is drawn row by row. `at` tells where a corner lies, `scale` how long. */
function outline(
  { points, runs }: Region,
  { width }: Size,
  at: (y: number, x: number) => string,
  scale = 1,
): string {
  if (points.length) return `M${points.map(([y = 0, x = 0]) => at(y, x)).join("L")}z`;
  let path = "";
  const length = (value: number) => Math.round(value * scale * 10) / 10;
  for (let i = 0; i + 1 < runs.length; i += 2) {
    // A run may go on in the next row.
    let [start, left] = [runs[i] ?? 0, runs[i + 1] ?? 0];
    while (left > 0) {
      const [y, x] = [Math.floor(start / width), start % width];
      const here = Math.min(left, width - x);
      path += `M${at(y, x)}h${length(here)}v${length(1)}h${length(-here)}z`;
      start += here;
      left -= here;
    }
  }
  return path;
}

const kindOf = ({ points }: Region) => (points.length ? "cw-outline" : "cw-filled");

/** The region's outline over the frame. */
export function drawRegion(
  group: SVGElement,
  region: Region | null,
  { left, top }: { left: number; top: number },
  size: Size,
  shownWidth: number,
): void {
  group.replaceChildren();
  attribute(group, "data-shown", region !== null);
  if (!region) return;
  const scale = shownWidth / size.width;
  const at = (y: number, x: number) => `${(left + x * scale).toFixed(1)} ${(top + y * scale).toFixed(1)}`;
  const [path, kind] = [outline(region, size, at, scale), kindOf(region)];
  group.append(
    svg("path", { d: path, class: `cw-halo ${kind}` }),
    svg("path", { d: path, class: `cw-line ${kind}` }),
  );
}

/** The same as a picture of its own, for `background`, which takes the shape of what it lies on. */
export function regionPicture(region: Region, size: Size): string {
  const path = outline(region, size, (y, x) => `${x} ${y}`);
  const line = (colour: string, width: number) =>
    `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}" vector-effect="non-scaling-stroke"/>`;
  const drawn = region.points.length
    ? line("rgb(0 0 0 / 55%)", 2.5) + line("rgb(255 255 255 / 95%)", 1)
    : `<path d="${path}" fill="rgb(255 255 255 / 45%)"/>`;
  const { height, width } = size;
  const text = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">${drawn}</svg>`;
  return `url("data:image/svg+xml,${encodeURIComponent(text)}")`;
}
