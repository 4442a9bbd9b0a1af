import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSplitter } from "../src/ui/splitter";

describe("a splitter", () => {
  const KEY = "canvaswidget.columns";
  let root: HTMLElement;
  const make = () => {
    root = document.createElement("div");
    const element = createSplitter(root, {
      name: "columns",
      label: "Width of the frame",
      orientation: "vertical",
      property: "--cw-split",
      unit: "%",
      low: 25,
      high: 75,
      step: 3,
      sizeAt: (event) => event.clientX,
      size: () => Number.parseFloat(root.style.getPropertyValue("--cw-split")) || 60,
    });
    return element;
  };
  const size = () => root.style.getPropertyValue("--cw-split");
  const key = (element: HTMLElement, name: string) => {
    const event = new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true });
    element.dispatchEvent(event);
    return event.defaultPrevented;
  };

  beforeEach(() => localStorage.removeItem(KEY));
  afterEach(() => {
    vi.restoreAllMocks();
    localStorage.removeItem(KEY);
  });

  it("is dragged within its limits, and remembers where it was left", () => {
    const element = make();
    expect(size()).toBe("");
    const drag = (clientX: number, buttons: number) =>
      element.dispatchEvent(new PointerEvent("pointermove", { clientX, buttons }));
    drag(40, 0);
    expect(size()).toBe("");
    drag(40, 1);
    expect([size(), element.getAttribute("aria-valuenow")]).toEqual(["40%", "40"]);
    drag(3, 1);
    expect(size()).toBe("25%");
    drag(44, 1);
    make();
    expect(size()).toBe("44%");
  });

  it("is moved by its own keys, and goes back to the usual size", () => {
    const element = make();
    expect([key(element, "ArrowRight"), size()]).toEqual([true, "63%"]);
    key(element, "ArrowLeft");
    key(element, "ArrowLeft");
    expect(size()).toBe("57%");
    expect(key(element, "ArrowUp")).toBe(false);
    key(element, "Enter");
    expect([size(), localStorage.getItem(KEY)]).toEqual(["", null]);
  });

  it("takes no size that is none, and works where nothing may be kept", () => {
    localStorage.setItem(KEY, "9000");
    make();
    expect(size()).toBe("");
    vi.spyOn(window, "localStorage", "get").mockImplementation(() => {
      throw new DOMException("The operation is insecure", "SecurityError");
    });
    const element = make();
    key(element, "ArrowRight");
    expect(size()).toBe("63%");
  });
});
