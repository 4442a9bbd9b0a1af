// The plane of the scatter: which neurons are on it, where their points lie on the canvas, and how it is zoomed and moved.
import { signal } from "@preact/signals-core";
import { zoomOf } from "../ui/dom";
import type { View } from "../ui/view";
import { FITTED, pan, type Size, zoomAt } from "../ui/viewport";

export const PAD = 8;

export type ScatterPlane = ReturnType<typeof createScatterPlane>;

export function createScatterPlane(view: View, element: HTMLElement) {
  const { store, scatter, values, comparison } = view.session;
  const viewport = signal(FITTED);
  /** The unit square on the canvas, in CSS pixels; `x2` is that of the second run. */
  const square = () => {
    const { clientWidth: width, clientHeight: height } = element;
    const parts = comparison.isOn.peek() ? 2 : 1;
    const w = Math.max(1, (width - (parts + 1) * PAD) / parts);
    const hgt = Math.max(1, height - 2 * PAD);
    const { zoom, x: middle, y: level } = viewport.peek();
    const x = (at: number) => PAD + ((at - middle) * zoom + 0.5) * w;
    return {
      width,
      height,
      x,
      x2: (at: number) => x(at) + w + PAD,
      y: (at: number) => PAD + ((1 - at - level) * zoom + 0.5) * hgt,
      w,
      h: hgt,
    };
  };
  /** The values that give the sizes of points; null while they are not known: all points are equal then. */
  const sizes = () => {
    const [shown, known] = [scatter.shown.peek(), values.shown.peek()];
    const fits =
      known &&
      shown &&
      known.run === shown.run &&
      known.layer === shown.layer &&
      values.state.peek() !== "idle";
    return fits && known.top > 0 ? known : null;
  };
  /** The points of the layer and run that are chosen; null while they are not known. */
  const placed = () => {
    const shown = scatter.shown.peek();
    return shown?.run === store.run.peek() && shown.layer === store.layer.peek() ? shown : null;
  };
  const size = (): Size => ({ width: square().w, height: square().h });
  const zoom = (factor: number, at?: Pick<MouseEvent, "clientX" | "clientY">) => {
    const { left, top } = element.getBoundingClientRect();
    const [{ width, height }, scale] = [size(), zoomOf(element)];
    const point = at
      ? { x: (at.clientX - left) / scale - PAD, y: (at.clientY - top) / scale - PAD }
      : { x: width / 2, y: height / 2 };
    viewport.value = zoomAt(viewport.peek(), factor, point, size(), size());
  };
  const move = (dx: number, dy: number) => {
    const scale = zoomOf(element);
    viewport.value = pan(viewport.peek(), dx / scale, dy / scale, size(), size());
  };
  /** Where on the unit square the pointer is. */
  const located = (event: MouseEvent): [number, number] => {
    const box = element.getBoundingClientRect();
    const [{ w, h: hgt }, scale] = [square(), zoomOf(element)];
    const { zoom, x, y } = viewport.peek();
    return [
      x + (((event.clientX - box.left) / scale - PAD) / w - 0.5) / zoom,
      1 - y - (((event.clientY - box.top) / scale - PAD) / hgt - 0.5) / zoom,
    ];
  };
  return {
    viewport,
    square,
    sizes,
    placed,
    zoom,
    move,
    located,
    /** Moves the plane until a place on the unit square is in sight. */
    reveal(px: number, py: number) {
      const { x, y, w, height } = square();
      const [left, top] = [x(px), y(py)];
      const dx = Math.max(0, -left) - Math.max(0, left - w - 2 * PAD);
      const dy = Math.max(0, -top) - Math.max(0, top - height);
      if (dx || dy) viewport.value = pan(viewport.peek(), dx, dy, size(), size());
    },
    isZoomed: () => viewport.peek().zoom > 1,
    fit() {
      viewport.value = FITTED;
    },
  };
}
