// The polygon: each click is a corner; the first corner, Enter or a double click closes it.
import { type Signal, signal } from "@preact/signals-core";
import { chooseRegion } from "../state/actions";
import { maskOf, type Point } from "../state/raster";
import { attribute, h, icon, svg } from "../ui/dom";
import type { View } from "../ui/view";
import type { Size } from "../ui/viewport";
import type { Place, Tool } from "./tool";

/** So near to the first corner, in CSS pixels, a click closes the polygon; so near to the last, it is a double click. */
const CLOSE = 10;
const TWICE = 3;
const MOST_CORNERS = 1000;

export function createPolygonTool(view: View, frameSize: () => Size): Tool {
  const { store, history } = view.session;
  const corners: Signal<Point[]> = signal([]);
  /** Where a press is that is not let go yet: a second finger takes it back. */
  let pressed: Point | null = null;
  let scale = 1;

  const button = (name: string, title: string, content: Node | string, click: () => void) =>
    h(
      "button",
      {
        class: typeof content === "string" ? "cw-button" : "cw-icon-button",
        type: "button",
        title,
        "aria-label": title,
        "data-testid": `polygon-${name}`,
        on: { click },
      },
      content,
    );
  const takeBack = () => (corners.value = corners.peek().slice(0, -1));
  const close = () => {
    const [points, { width, height }] = [corners.peek(), frameSize()];
    if (points.length < 3) return;
    corners.value = [];
    const region = {
      points: points.map(([y, x]) => [round(y, height), round(x, width)]),
      runs: [],
    };
    if (!maskOf(region, { width, height }).includes(1))
      return view.say("The polygon holds the middle of no pixel", "error");
    history.split();
    chooseRegion(store, region);
  };
  const back = button("back", "Take the last corner back (Backspace)", icon("undo"), takeBack);
  const end = button("close", "Close the polygon (Enter)", "close", close);
  const bar = h(
    "div",
    { class: "cw-tool-bar", role: "group", "aria-label": "Polygon", "data-testid": "polygon-bar" },
    back,
    end,
  );
  view.effect(() => {
    attribute(back, "aria-disabled", corners.value.length > 0 ? null : "true");
    attribute(end, "aria-disabled", corners.value.length >= 3 ? null : "true");
  });

  const isNear = ([y, x]: Point, to: Point | undefined, pixels: number) =>
    to !== undefined && Math.hypot(y - to[0], x - to[1]) * scale <= pixels;
  const closes = (at: Point) => corners.value.length >= 3 && isNear(at, corners.value[0], CLOSE);
  return {
    bar,
    hint: "Arrows move the pointer, space sets a corner, Enter closes, Backspace takes one back",
    press(at) {
      pressed = at;
    },
    drag(at) {
      if (pressed) pressed = at;
    },
    lift() {
      const at = pressed;
      pressed = null;
      if (!at) return;
      if (closes(at)) close();
      else if (corners.peek().length < MOST_CORNERS) corners.value = [...corners.peek(), at];
    },
    cancel() {
      pressed = null;
    },
    drop() {
      pressed = null;
      corners.value = [];
    },
    finish() {
      // Its second click was a corner, too.
      const [last, before] = [corners.peek().at(-1), corners.peek().at(-2)];
      if (last && isNear(last, before, TWICE)) takeBack();
      close();
    },
    key: (name) => (name === "Backspace" ? () => void takeBack() : null),
    enter() {
      const isEmpty = corners.peek().length === 0;
      close();
      return isEmpty;
    },
    draw(group: SVGElement, place: Place, cursor: Point | null) {
      scale = place.scale;
      const at = ([y, x]: Point) => [place.left + x * scale, place.top + y * scale] as const;
      const isClosed = cursor !== null && closes(cursor);
      const known = corners.value;
      const line = cursor && !isClosed ? [...known, cursor] : known;
      const path = line.length
        ? `M${line.map((one) => at(one).join(" ")).join("L")}${isClosed ? "z" : ""}`
        : "";
      for (const kind of ["cw-halo", "cw-line"]) {
        group.append(svg("path", { d: path, class: `${kind} cw-outline` }));
        known.forEach((corner, i) => {
          const [cx, cy] = at(corner);
          const r = i > 0 ? 3 : isClosed ? 7 : 4.5;
          group.append(svg("circle", { cx, cy, r, class: `${kind} cw-corner` }));
        });
        if (cursor) {
          const [x, y] = at(cursor);
          group.append(svg("path", { d: `M${x - 6} ${y}h12M${x} ${y - 6}v12`, class: kind }));
        }
      }
    },
  };
}

/** Inside the frame, to a hundredth of a pixel. */
function round(value: number, most: number): number {
  return Math.max(0, Math.min(most, Math.round(value * 100) / 100));
}
