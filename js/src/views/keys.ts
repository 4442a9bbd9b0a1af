// The keyboard. The notebook never sees a key pressed in the widget, save for combinations with Ctrl or Meta but undo and redo.
import { clearChoice, nudgePixel, stepLayer, stepRun, stepTime, togglePlaying } from "../state/actions";
import type { History } from "../state/history";
import { savedOf } from "../state/saved";
import type { Store } from "../state/store";
import type { Dialog } from "../ui/dialog";
import { ZOOM_STEP } from "../ui/viewport";

export interface Hands {
  store: Store;
  history: Pick<History, "undo" | "redo">;
  zoom(factor: number): void;
  fit(): void;
  focusSearch(): void;
  /** Takes the selection out of the model, or puts it back. */
  ablate(): void;
  restoreAll(): void;
  /** What a key does with the brush or the polygon in hand. */
  toolKey(event: KeyboardEvent): (() => void) | null;
  /** Puts away the tool that draws regions; whether there was one in hand. */
  leaveTool(): boolean;
  /** Lets a click choose one neuron again; whether it added to the selection. */
  leaveSeveral(): boolean;
  help: Pick<Dialog, "toggle" | "isOpen">;
  /** One selection under every rule. */
  rules: Pick<Dialog, "toggle" | "isOpen">;
}

function ownsArrows(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("input, select, textarea, .cw-grid, .cw-bars, .cw-regions") !== null
  );
}

function isHistory({ ctrlKey, metaKey, altKey, key }: KeyboardEvent): boolean {
  return ctrlKey !== metaKey && !altKey && ["z", "Z", "y"].includes(key);
}

function isTyped(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement && target.type === "text";
}

export function handleKey(event: KeyboardEvent, hands: Hands): void {
  if (isHistory(event)) {
    // Without this JupyterLab would undo the last change to its cells.
    event.stopPropagation();
    if (isTyped(event.target)) return;
    event.preventDefault();
    if (event.shiftKey || event.key === "y") hands.history.redo();
    else hands.history.undo();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  event.stopPropagation();
  if (isTyped(event.target)) return;
  const action = actionOf(event, hands);
  if (!action) return;
  event.preventDefault();
  action();
}

function actionOf(event: KeyboardEvent, hands: Hands): (() => void) | null {
  const { store, help, rules, zoom, fit, focusSearch } = hands;
  const { key, target, shiftKey } = event;
  const saved = savedOf(store._canvas.peek()) !== null;
  if (help.isOpen()) return key === "Escape" || key === "?" ? () => help.toggle(false) : null;
  if (rules.isOpen()) {
    if (key === "Escape" || key === "r") return () => rules.toggle(false);
    // The keys of time work while the rules are compared.
    const by = { ArrowLeft: -1, ArrowRight: 1 }[key];
    return by && !shiftKey ? () => stepTime(store, by) : null;
  }
  const used = hands.toolKey(event);
  if (used) return used;
  const arrow = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[key];
  if (arrow) {
    const [dy = 0, dx = 0] = arrow;
    if (ownsArrows(target)) return null;
    if (shiftKey) return () => nudgePixel(store, dy, dx);
    return dx === 0 ? null : () => stepTime(store, dx);
  }
  switch (key) {
    case " ":
      // A focused button or disclosure handles the space key itself.
      return target instanceof Element && target.closest("button, summary, select")
        ? null
        : () => togglePlaying(store);
    case ",":
      return () => stepRun(store, -1);
    case ".":
      return () => stepRun(store, 1);
    case "[":
      return () => stepLayer(store, -1);
    case "]":
      return () => stepLayer(store, 1);
    case "Escape":
      return () => hands.leaveTool() || hands.leaveSeveral() || clearChoice(store);
    case "k":
    case "K":
      // A focused list handles letters itself, to find its entries.
      if (target instanceof HTMLSelectElement || saved) return null;
      return shiftKey ? hands.restoreAll : hands.ablate;
    case "r":
      return target instanceof HTMLSelectElement || saved ? null : () => rules.toggle(true);
    case "/":
      return focusSearch;
    case "?":
      return () => help.toggle(true);
    case "+":
    case "=":
      return () => zoom(ZOOM_STEP);
    case "-":
      return () => zoom(1 / ZOOM_STEP);
    case "0":
      return fit;
    default:
      return null;
  }
}
