import { describe, expect, it } from "vitest";
import { type Pinch, watchPinch } from "../src/ui/pinch";

describe("two fingers", () => {
  const touch = (element: HTMLElement, type: string, pointerId: number, clientX: number, clientY: number) =>
    element.dispatchEvent(new PointerEvent(type, { pointerId, clientX, clientY, pointerType: "touch" }));

  it("zoom by how far they move apart, and move by their middle", () => {
    const element = document.createElement("div");
    const seen: Pinch[] = [];
    let begun = 0;
    watchPinch(
      element,
      () => (begun += 1),
      (pinch) => seen.push(pinch),
    );
    touch(element, "pointerdown", 1, 100, 50);
    touch(element, "pointermove", 1, 110, 50);
    expect([begun, seen]).toEqual([0, []]);
    touch(element, "pointerdown", 2, 130, 50);
    touch(element, "pointermove", 2, 150, 50);
    expect(begun).toBe(1);
    expect(seen).toEqual([{ factor: 2, clientX: 130, clientY: 50, dx: 10, dy: 0 }]);
    touch(element, "pointerup", 1, 110, 50);
    touch(element, "pointermove", 2, 170, 50);
    expect(seen).toHaveLength(1);
  });
});
