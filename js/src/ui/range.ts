// A slider, filled up to its thumb.
import { attribute, h } from "./dom";

interface RangeProps {
  name: string;
  label: string;
  min?: number;
  max?: number;
  step?: number;
  input: (value: number) => void;
  /** At the end of a gesture. */
  change?: (value: number) => void;
}

export function range({
  name,
  label,
  min = 0,
  max = 1,
  step = 1,
  input,
  change,
}: RangeProps): HTMLInputElement {
  const element = h("input", {
    class: "cw-range",
    type: "range",
    min,
    max,
    step,
    "aria-label": label,
    "data-testid": name,
  });
  element.addEventListener("input", () => input(element.valueAsNumber));
  if (change) element.addEventListener("change", () => change(element.valueAsNumber));
  return element;
}

/** Moves a slider, and says its value in words. */
export function slide(element: HTMLInputElement, value: number, text: string, max?: number): void {
  if (max !== undefined) attribute(element, "max", max);
  if (element.valueAsNumber !== value) element.value = String(value);
  attribute(element, "aria-valuetext", text);
  const [low, high] = [Number(element.min), Number(element.max)];
  element.style.setProperty("--cw-filled", `${high > low ? ((value - low) / (high - low)) * 100 : 0}%`);
}
