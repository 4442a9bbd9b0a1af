// The lines that resize the panels: between the frame and the pixel's neurons, and under the layer's neurons.
import { zoomOf } from "../ui/dom";
import { createSplitter } from "../ui/splitter";

interface Places {
  /** The grid that the others lie in. */
  panels: HTMLElement;
  frame: HTMLElement;
  neurons: HTMLElement;
}

export function addSplitters(root: HTMLElement, { panels, frame, neurons }: Places): void {
  const part = (length: number) => (100 * length) / Math.max(1, panels.getBoundingClientRect().width);
  frame.after(
    createSplitter(root, {
      name: "columns",
      label: "Width of the frame",
      orientation: "vertical",
      property: "--cw-split",
      unit: "%",
      low: 25,
      high: 75,
      step: 3,
      sizeAt: (event) => part(event.clientX - panels.getBoundingClientRect().left),
      size: () => part(frame.getBoundingClientRect().width),
    }),
  );
  neurons.after(
    createSplitter(root, {
      name: "rows",
      label: "Height of the neurons",
      orientation: "horizontal",
      property: "--cw-neurons",
      unit: "px",
      low: 180,
      high: 900,
      step: 20,
      sizeAt: (event) => (event.clientY - neurons.getBoundingClientRect().top) / zoomOf(neurons),
      size: () => neurons.getBoundingClientRect().height / zoomOf(neurons),
    }),
  );
}
