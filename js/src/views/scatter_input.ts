// What is done with the scatter by pointer, wheel and keyboard: point at neurons, select one or several, zoom and move.
import type { Signal } from "@preact/signals-core";
import { inside, nearest, nextTowards } from "../sources/scatter";
import { chooseNeuron, chooseNeurons, currentLayer, toggleNeuron } from "../state/actions";
import { flatIndex, neuronAt } from "../state/selection";
import { same } from "../transport/same";
import { watchPinch } from "../ui/pinch";
import type { View } from "../ui/view";
import { watchWheel } from "../ui/wheel";
import type { ScatterPlane } from "./scatter_plane";
import { createZoomControl } from "./zoom_control";

const REACH = 9;
const SLIP = 4;
const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

export function watchScatter(
  view: View,
  element: HTMLElement,
  plane: ScatterPlane,
  lasso: Signal<[number, number][]>,
) {
  const { store, scatter } = view.session;
  const { square, placed, viewport, zoom, move, located, isZoomed } = plane;
  const { pointed } = scatter;
  let pressed: { x: number; y: number; moved: boolean; pans: boolean } | null = null;
  const isOnZoom = ({ target }: Event) => (target as Element).closest(".cw-zoom") !== null;
  const letGo = () => {
    pressed = null;
    lasso.value = [];
  };
  element.append(
    createZoomControl(view, viewport, (factor) => zoom(factor), plane.fit, {
      name: "scatter-zoom",
      keys: false,
    }),
  );
  watchPinch(element, letGo, ({ factor, dx, dy, clientX, clientY }) => {
    letGo();
    move(dx, dy);
    zoom(factor, { clientX, clientY });
  });
  watchWheel(element, view.root, isZoomed, zoom);
  const under = (event: MouseEvent) => {
    const shown = placed();
    const [x, y] = located(event);
    return shown
      ? nearest(shown.points, x, y, REACH / Math.min(square().w, square().h) / viewport.peek().zoom)
      : null;
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || isOnZoom(event)) return;
    event.preventDefault();
    element.focus({ preventScroll: true });
    element.setPointerCapture?.(event.pointerId);
    const pans = isZoomed() && !event.shiftKey;
    pressed = { x: event.clientX, y: event.clientY, moved: false, pans };
    if (!pans) lasso.value = [located(event)];
  });
  element.addEventListener("pointermove", (event) => {
    if (pressed) {
      pressed.moved ||= Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) >= SLIP;
      if (!pressed.moved) return;
      if (!pressed.pans) lasso.value = [...lasso.peek(), located(event)];
      else {
        move(event.clientX - pressed.x, event.clientY - pressed.y);
        Object.assign(pressed, { x: event.clientX, y: event.clientY });
      }
      return;
    }
    if (!isOnZoom(event)) pointed.value = under(event);
  });
  element.addEventListener("pointerleave", () => {
    pointed.value = null;
  });
  element.addEventListener("pointercancel", letGo);
  element.addEventListener("pointerup", (event) => {
    const was = pressed;
    const drawn = lasso.peek();
    const [shown, layer] = [placed(), currentLayer(store)];
    pressed = null;
    lasso.value = [];
    if (!was || !shown || !layer) return;
    if (was.moved && was.pans) return;
    if (was.moved) {
      const caught = inside(shown.points, drawn).map((at) => neuronAt(layer, at));
      const before = view.adds(event) ? store.neurons.peek() : [];
      const added = caught.filter((neuron) => !before.some((one) => same(one, neuron)));
      if (caught.length) chooseNeurons(store, [...before, ...added]);
      return;
    }
    const at = under(event);
    if (at === null) return;
    if (view.adds(event)) toggleNeuron(store, neuronAt(layer, at), layer.name);
    else chooseNeuron(store, neuronAt(layer, at));
  });
  element.addEventListener("keydown", (event) => {
    const [shown, layer, at] = [placed(), currentLayer(store), pointed.peek()];
    if (!shown || !layer || event.target !== element || event.ctrlKey || event.metaKey) return;
    const arrow = ARROWS[event.key];
    const chosen = store.neuron.peek();
    const start = at ?? (chosen && flatIndex(layer, chosen));
    if (arrow) {
      const { x, y } = viewport.peek();
      const from = start === null ? [x, 1 - y] : [shown.points[2 * start], shown.points[2 * start + 1]];
      const next = nextTowards(shown.points, [from[0] ?? 0.5, from[1] ?? 0.5], ...arrow);
      if (next !== null) pointed.value = next;
    } else if (event.key === "Enter" && at !== null) chooseNeuron(store, neuronAt(layer, at));
    else if (event.key === " " && at !== null) toggleNeuron(store, neuronAt(layer, at), layer.name);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
