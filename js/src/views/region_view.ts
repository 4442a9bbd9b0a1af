// A region drawn on the frame: a box by shift-drag, a lasso with Alt as well, or with the tool of either; a polygon or
// the brush with theirs.
import { type Signal, signal } from "@preact/signals-core";
import { chooseRegion } from "../state/actions";
import type { Point } from "../state/raster";
import { dropRegion, keepRegion, regionAt } from "../state/regions";
import { savedOf } from "../state/saved";
import { MAX_REGIONS } from "../transport/constants";
import type { Region } from "../transport/messages";
import { same } from "../transport/same";
import { attribute, h, holdsFocus, icon } from "../ui/dom";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";
import type { Size } from "../ui/viewport";
import { createBrush } from "./brush";
import { createPolygonTool } from "./polygon_tool";
import type { Place } from "./tool";

const TOOLS = {
  box: "Draw a box (or drag with Shift)",
  lasso: "Draw around a region (or drag with Shift and Alt)",
  polygon: "Click the corners of a polygon",
  brush: "Paint a region (with Alt: erase)",
} as const;
type ToolName = keyof typeof TOOLS;
const NAMES = Object.keys(TOOLS) as ToolName[];
/** How far an arrow moves the pointer of a tool, in pixels of the frame; with Shift so many times as far. */
const ARROWS: Record<string, Point> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};
const FAR = 10;
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
  /** Brings a point of the frame into sight. */
  reveal: (at: Point) => void,
) {
  const { store } = view.session;
  const tool: Signal<ToolName | null> = signal(null);
  const drawn: Signal<Region | null> = signal(null);
  let gesture: { tool: ToolName; from: [number, number]; points: Point[]; moved: boolean } | null = null;
  /** Where the pointer is, or where the keys have moved it, and whether Alt is held there. */
  const cursor: Signal<Point | null> = signal(null);
  const alt = signal(false);
  /** Whether the tool is pressed: by the pointer, or by the space key. */
  let pressed: "pointer" | "key" | null = null;

  const leave = () => choose(null);
  const painters = {
    brush: createBrush(view, frameSize, drawn, alt, leave),
    polygon: createPolygonTool(view, frameSize),
  };
  const painter = () => (tool.value === "brush" || tool.value === "polygon" ? painters[tool.value] : null);
  /** The button that had the focus when the tool was taken by keyboard: it gets it back. */
  let taken: HTMLElement | null = null;
  const choose = (name: ToolName | null, by: HTMLElement | null = null) => {
    for (const one of Object.values(painters)) one.drop();
    pressed = null;
    tool.value = name;
    const chosen = painter();
    if (chosen) {
      taken = by;
      cursor.value = by ? middle() : null;
      // Keys are for the tool now, not for its button.
      view.root.focus({ preventScroll: true });
      if (by) view.say(chosen.hint);
    } else {
      taken?.focus();
      taken = null;
    }
  };
  const middle = (): Point => {
    const { height, width } = frameSize();
    const [y, x] = store.pixel.peek() ?? [];
    return [(y ?? Math.floor(height / 2)) + 0.5, (x ?? Math.floor(width / 2)) + 0.5];
  };

  const buttons = NAMES.map((name) => {
    const button = h(
      "button",
      {
        class: "cw-segment cw-tool",
        type: "button",
        "aria-label": TOOLS[name],
        title: TOOLS[name],
        "data-testid": `tool-${name}`,
        // A click by keyboard has no detail.
        on: {
          click: ({ detail }) =>
            choose(tool.peek() === name ? null : name, detail === 0 && holdsFocus(button) ? button : null),
        },
      },
      icon(name),
    );
    return name === "brush" || name === "polygon" ? explain(button, name) : button;
  });
  /** The region of the list that is the current one. Read inside an effect. */
  const current = (time: number) =>
    store.region.value
      ? store.regions.value.find((one) => same(regionAt(one, time), store.region.value))
      : undefined;
  const clear = h(
    "button",
    {
      class: "cw-segment cw-tool",
      type: "button",
      "data-testid": "clear-region",
      on: {
        click: () => {
          if (!isUsable(clear)) return;
          const named = current(store.time.peek());
          view.session.history.split();
          if (named) dropRegion(store, named.name);
          chooseRegion(store, null);
          if (named) view.say(`${named.name} is off the list`);
        },
      },
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
      attribute(button, "aria-pressed", String(tool.value === NAMES[i]));
    });
    attribute(view.root, "data-tool", tool.value);
    for (const [name, { bar }] of Object.entries(painters)) bar.hidden = tool.value !== name;
    const region = store.region.value;
    const kept =
      region !== null && store.regions.value.some(({ frames }) => frames.some((one) => same(one, region)));
    // Disabled, not hidden: a second click would hit the button that moves into a hidden one's place.
    usable(clear, region !== null);
    const named = current(store.time.value);
    clear.title = named ? `Take ${named.name} off the list` : "Clear the region";
    attribute(clear, "aria-label", clear.title);
    usable(keep, region !== null && !kept && store.regions.value.length < MAX_REGIONS);
    // The list of regions needs a kernel.
    keep.hidden = savedOf(store._canvas.value) !== null;
  });

  /** Where a tool points, also outside the frame. */
  const point = (event: PointerEvent): Point => {
    const [y = 0, x = 0] = locate(event);
    alt.value = event.altKey;
    cursor.value = [y, x];
    return cursor.value;
  };
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

  const lift = (by: "pointer" | "key") => {
    if (pressed !== by) return false;
    pressed = null;
    painter()?.lift();
    return true;
  };
  /** A key of the brush or of the polygon. The focus is on the root: a slider keeps its arrows, a button its space. */
  const key = ({ key: name, shiftKey, target, repeat }: KeyboardEvent): (() => void) | null => {
    const chosen = painter();
    if (!chosen) return null;
    const arrow = ARROWS[name];
    if (target !== view.root && (arrow || name === " " || name === "Enter")) return null;
    if (arrow)
      return () => {
        const [y, x] = cursor.peek() ?? middle();
        const { height, width } = frameSize();
        const far = shiftKey ? FAR : 1;
        const inside = (value: number, most: number) => Math.max(0.5, Math.min(most - 0.5, value));
        const to: Point = [inside(y + far * arrow[0], height), inside(x + far * arrow[1], width)];
        cursor.value = to;
        alt.value = false;
        if (pressed) chosen.drag(to);
        reveal(to);
      };
    if (name === " ")
      return () => {
        if (repeat || pressed) return;
        cursor.value ??= middle();
        pressed = "key";
        chosen.press(cursor.value, false);
      };
    if (name === "Enter")
      return () => {
        lift("key");
        if (chosen.enter()) leave();
      };
    return chosen.key(name);
  };
  const release = (event: KeyboardEvent) => event.key === " " && lift("key");
  view.root.addEventListener("keyup", release, { signal: view.signal });
  view.root.addEventListener("focusout", () => lift("key"), { signal: view.signal });

  return {
    element,
    /** What the tools show on the picture. */
    bars: Object.values(painters).map(({ bar }) => bar),
    /** The region as far as it is drawn. */
    drawn,
    key,
    /** Draws the marks of the tool in hand. Read inside an effect. */
    draw(group: SVGElement, place: Place): void {
      group.replaceChildren();
      attribute(group, "data-erases", false);
      painter()?.draw(group, place, cursor.value);
    },
    start(event: PointerEvent, stage: HTMLElement): boolean {
      const painting = painter();
      if (painting) {
        event.preventDefault();
        stage.setPointerCapture?.(event.pointerId);
        lift("key");
        pressed = "pointer";
        painting.press(point(event), event.altKey);
        return true;
      }
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
      const painting = painter();
      if (painting) {
        const to = point(event);
        if (pressed === "pointer") painting.drag(to);
        return pressed === "pointer";
      }
      if (!gesture) return false;
      const [x, y] = gesture.from;
      gesture.moved ||= Math.hypot(event.clientX - x, event.clientY - y) >= SLIP;
      const here = located(event);
      const last = gesture.points.at(-1);
      if (gesture.tool === "box") gesture.points = [gesture.points[0] ?? here, here];
      else if (
        last &&
        gesture.points.length < MOST_POINTS &&
        Math.hypot(here[0] - last[0], here[1] - last[1]) >= frameSize().width * FINE
      )
        gesture.points.push(here);
      drawn.value = region();
      return true;
    },
    /** True when the press was for a region. A click with a tool pins a pixel, as without. */
    end(): boolean {
      if (lift("pointer")) return true;
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
      if (had) leave();
      return had;
    },
    cancel(): void {
      gesture = null;
      drawn.value = null;
      pressed = null;
      painter()?.cancel();
    },
    /** The pointer is off the frame. */
    out(): void {
      cursor.value = null;
    },
    /** Whether a double click is for the tool. */
    finish(): boolean {
      const painting = painter();
      painting?.finish();
      return painting !== null;
    },
  };
}
