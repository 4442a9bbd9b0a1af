// The scatter's lasso by keyboard: arrows move a crosshair, space sets a corner where it is, Enter selects what is inside.
import { type Signal, signal, untracked } from "@preact/signals-core";
import { inside, nearest } from "../sources/scatter";
import { currentLayer } from "../state/actions";
import { neuronAt, neuronLabel } from "../state/selection";
import { attribute, h, write } from "../ui/dom";
import type { View } from "../ui/view";
import { PAD, type ScatterPlane } from "./scatter_plane";

/** On the unit square. */
export type Place = [number, number];

export const ARROWS: Record<string, Place> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};
/** In CSS pixels: the steps of the crosshair, without and with Shift, and how near to it a neuron is named. */
const STEP = 4;
const FAR = 32;
const NEAR = 9;
const MOST_CORNERS = 1000;
const HOW = "lasso: arrows move it (Shift: far), space sets a corner, Enter selects, Esc ends";

export type KeyLasso = ReturnType<typeof createKeyLasso>;

/** `corners` are those of the pointer's lasso too; `select` takes a polygon, and returns how many neurons are inside. */
export function createKeyLasso(
  view: View,
  stage: HTMLElement,
  plane: ScatterPlane,
  corners: Signal<Place[]>,
  select: (polygon: Place[], add: boolean) => number,
) {
  const { store, scatter } = view.session;
  /** The crosshair; null where there is no lasso by keyboard. */
  const cursor = signal<Place | null>(null);
  // Always on the page: a screen reader hears of changes only where the element was there before.
  const element = h("output", { class: "cw-lasso-said", "data-testid": "lasso-said" });

  /** How much of the unit square so many CSS pixels are, across and up. */
  const span = (pixels: number): Place => {
    const [{ w, h: tall }, { zoom }] = [plane.square(), plane.viewport.peek()];
    return [pixels / w / zoom, pixels / tall / zoom];
  };
  const drop = () => {
    if (!cursor.peek()) return;
    cursor.value = null;
    corners.value = [];
  };
  const goTo = ([x, y]: Place) => {
    const [right, up] = span(PAD); // a corner may lie beyond the outermost neurons
    cursor.value = [Math.max(-right, Math.min(1 + right, x)), Math.max(-up, Math.min(1 + up, y))];
    plane.reveal(...cursor.value);
  };
  const describe = (at: Place): string => {
    const [shown, layer, set] = [plane.placed(), currentLayer(store), corners.value];
    if (!shown || !layer) return "";
    const near = nearest(shown.points, ...at, Math.max(...span(NEAR)));
    const caught = set.length > 1 ? inside(shown.points, [...set, at]).length : null;
    const parts = [
      set.length > 0 ? `${set.length} ${set.length === 1 ? "corner" : "corners"}` : HOW,
      caught === null ? "" : `${caught} inside`,
      near === null ? "" : `at ${neuronLabel(neuronAt(layer, near))}`,
    ];
    return parts.filter(Boolean).join(" · ");
  };
  view.effect(() => {
    const at = cursor.value;
    attribute(stage, "data-lasso", at && corners.value.length);
    write(element, at ? describe(at) : "");
  });
  view.effect(() => {
    // The points lie elsewhere then.
    for (const part of [store.layer, store.run, scatter.method]) part.value;
    untracked(drop);
  });

  const close = (add: boolean) => {
    const polygon = corners.peek();
    if (polygon.length < 3) return view.say("A lasso needs three corners: space sets one");
    drop();
    const caught = select(polygon, add);
    view.say(caught ? `selected ${caught} ${caught === 1 ? "neuron" : "neurons"}` : "No neuron is inside");
  };
  return {
    element,
    cursor,
    drop,
    /** Whether the key was for the lasso; `start` is where one begins. */
    key({ key: name, shiftKey }: KeyboardEvent, start: Place): boolean {
      const at = cursor.peek();
      if (!at) {
        if (name !== "l") return false;
        corners.value = [];
        goTo(start);
        return true;
      }
      const arrow = ARROWS[name];
      if (arrow) {
        const [right, up] = span(shiftKey ? FAR : STEP);
        goTo([at[0] + arrow[0] * right, at[1] + arrow[1] * up]);
      } else if (name === " ") {
        if (corners.peek().length < MOST_CORNERS) corners.value = [...corners.peek(), at];
      } else if (name === "Backspace") corners.value = corners.peek().slice(0, -1);
      else if (name === "Enter") close(view.several.peek() || shiftKey);
      else if (name === "Escape" || name === "l") drop();
      else return false;
      return true;
    },
  };
}
