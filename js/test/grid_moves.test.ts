// Thumbnails that move to their new places when the order changes.
import { afterEach, describe, expect, it, vi } from "vitest";
import { createMoves } from "../src/views/grid_moves";

afterEach(() => void vi.restoreAllMocks());

const transform = (index: number) => `translate(${index}px)`;

/** Paints neurons in order, with gaps where a thumbnail is not there yet; gives the moves that were begun. */
function painter() {
  const moves = createMoves();
  return (layer: string, order: (string | null)[]) => {
    const animate = vi.spyOn(Element.prototype, "animate");
    moves.begin(layer);
    order.forEach((neuron, index) => {
      const button = document.createElement("button");
      if (neuron) button.dataset.neuron = neuron;
      moves.put(button, index, transform);
    });
    moves.end(order.length);
    const begun = animate.mock.calls.map(([frames]) => (frames as Keyframe[]).map((one) => one.transform));
    animate.mockRestore();
    return begun;
  };
}

describe("thumbnails", () => {
  it("move from where they were seen last, those alone that are elsewhere now", () => {
    const paint = painter();
    expect(paint("a", ["1", "2", "3"])).toEqual([]);
    expect(paint("a", ["1", "2", "3"])).toEqual([]);
    expect(paint("a", ["1", "3", "4"])).toEqual([["translate(2px)", "translate(1px)"]]);
    expect(paint("a", ["2", "3", "4"])).toEqual([]); // 2 was out of sight
  });

  it("move when they arrive, too", () => {
    const paint = painter();
    paint("a", ["1", "2", "3"]);
    expect(paint("a", [null, null, null])).toEqual([]);
    expect(paint("a", ["3", null, null])).toEqual([["translate(2px)", "translate(0px)"]]);
    expect(paint("a", ["3", "1", "2"])).toEqual([
      ["translate(0px)", "translate(1px)"],
      ["translate(1px)", "translate(2px)"],
    ]);
  });

  it("stay where another layer is shown, and where motion is reduced", () => {
    const paint = painter();
    paint("a", ["1", "2"]);
    expect(paint("b", ["2", "1"])).toEqual([]);
    vi.spyOn(window, "matchMedia").mockReturnValue({ matches: true } as MediaQueryList);
    const reduced = painter();
    reduced("a", ["1", "2"]);
    expect(reduced("a", ["2", "1"])).toEqual([]);
  });
});
