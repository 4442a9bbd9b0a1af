// A line at the edge of a panel that is dragged, or moved by the arrow keys; the browser remembers where it was left.
import { attribute, h } from "./dom";

export interface Split {
  name: string;
  label: string;
  /** The line stands between columns, or lies under a row. */
  orientation: "vertical" | "horizontal";
  /** The custom property that the style sheet reads the size from, and its unit. */
  property: string;
  unit: "%" | "px";
  low: number;
  high: number;
  step: number;
  /** The size that a pointer asks for. */
  sizeAt(event: PointerEvent): number;
  /** The size on screen. */
  size(): number;
}

/** Where sizes are kept; null in a page that may not keep anything, such as one in a sandbox. */
function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

export function createSplitter(root: HTMLElement, split: Split): HTMLElement {
  const key = `canvaswidget.${split.name}`;
  const element = h("div", {
    class: `cw-splitter cw-splitter-${split.name}`,
    role: "separator",
    tabindex: "0",
    "aria-orientation": split.orientation,
    "aria-label": split.label,
    "aria-valuemin": split.low,
    "aria-valuemax": split.high,
    title: `${split.label}: drag, or use the arrow keys; double-click or Enter for the usual size`,
    "data-testid": `splitter-${split.name}`,
  });
  const apply = (size: number | null) => {
    if (size === null) root.style.removeProperty(split.property);
    else root.style.setProperty(split.property, `${size}${split.unit}`);
    attribute(element, "aria-valuenow", Math.round(size ?? split.size()));
  };
  const choose = (wanted: number | null) => {
    const size = wanted === null ? null : Math.round(Math.max(split.low, Math.min(split.high, wanted)));
    apply(size);
    if (size === null) storage()?.removeItem(key);
    else storage()?.setItem(key, String(size));
  };
  const kept = Number.parseFloat(storage()?.getItem(key) ?? "");
  apply(kept >= split.low && kept <= split.high ? kept : null);

  // Its size is known once the panel is laid out.
  element.addEventListener("focus", () => attribute(element, "aria-valuenow", Math.round(split.size())));
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    element.focus();
    element.setPointerCapture?.(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) choose(split.sizeAt(event));
  });
  element.addEventListener("dblclick", () => choose(null));
  element.addEventListener("keydown", (event) => {
    const [less, more] =
      split.orientation === "vertical" ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    if (event.key === "Enter") choose(null);
    else if (event.key === less) choose(split.size() - split.step);
    else if (event.key === more) choose(split.size() + split.step);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return element;
}
