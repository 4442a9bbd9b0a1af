// The wheel over something that zooms.
import { holdsFocus } from "./dom";

/**
 * Calls `zoom` with a factor. The notebook scrolls until the widget is in use or Ctrl is held, which `refused` tells, and
 * where there is nothing to zoom out of.
 */
export function watchWheel(
  element: HTMLElement,
  root: HTMLElement,
  isZoomed: () => boolean,
  zoom: (factor: number, event: WheelEvent) => void,
  refused: () => void = () => {},
): void {
  element.addEventListener(
    "wheel",
    (event) => {
      if (event.deltaY > 0 && !isZoomed()) return;
      if (!event.ctrlKey && !event.metaKey && !holdsFocus(root)) return refused();
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.002)), event);
    },
    { passive: false },
  );
}
