// What is done with the scatter by pointer, wheel and keyboard: point at neurons, select one or several, zoom and move.
import type { Signal } from "@preact/signals-core";
import { inside, nearest, nextTowards } from "../sources/scatter";
import { chooseNeuron, chooseNeurons, currentLayer, toggleNeuron } from "../state/actions";
import { flatIndex, neuronAt } from "../state/selection";
import { same } from "../transport/same";
import { watchPinch } from "../ui/pinch";
import type { View } from "../ui/view";
import { watchWheel } from "../ui/wheel";
import { ARROWS, createKeyLasso, type KeyLasso, type Place } from "./scatter_lasso";
import type { ScatterPlane } from "./scatter_plane";
import { createZoomControl } from "./zoom_control";

const REACH = 9;
const SLIP = 4;

export function watchScatter(
  view: View,
  element: HTMLElement,
  plane: ScatterPlane,
  lasso: Signal<Place[]>,
): KeyLasso {
  const { store, scatter } = view.session;
  const { square, placed, viewport, zoom, move, located, isZoomed } = plane;
  const { pointed } = scatter;
  let pressed: { x: number; y: number; moved: boolean; pans: boolean } | null = null;
  const isOnZoom = ({ target }: Event) => (target as Element).closest(".cw-zoom") !== null;
  const select = (polygon: Place[], add: boolean): number => {
    const [shown, layer] = [placed(), currentLayer(store)];
    if (!shown || !layer) return 0;
    const caught = inside(shown.points, polygon).map((at) => neuronAt(layer, at));
    const before = add ? store.neurons.peek() : [];
    const added = caught.filter((neuron) => !before.some((one) => same(one, neuron)));
    if (caught.length) chooseNeurons(store, [...before, ...added]);
    return caught.length;
  };
  const keyLasso = createKeyLasso(view, element, plane, lasso, select);
  const letGo = () => {
    pressed = null;
    keyLasso.drop();
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
    keyLasso.drop();
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
    if (was.moved) return void select(drawn, view.adds(event));
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
    const { x, y } = viewport.peek();
    const [px, py] = start === null ? [] : [shown.points[2 * start], shown.points[2 * start + 1]];
    // A dead neuron has no point.
    const from: Place = Number.isFinite(px) ? [px ?? x, py ?? 1 - y] : [x, 1 - y];
    if (keyLasso.key(event, from)) {
      pointed.value = null;
    } else if (arrow) {
      const next = nextTowards(shown.points, from, ...arrow);
      if (next !== null) pointed.value = next;
    } else if (event.key === "Enter" && at !== null) chooseNeuron(store, neuronAt(layer, at));
    else if (event.key === " " && at !== null) toggleNeuron(store, neuronAt(layer, at), layer.name);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return keyLasso;
}
