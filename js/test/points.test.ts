import { describe, expect, it } from "vitest";
import { inside, nearest } from "../src/sources/scatter";
import { neuronAt } from "../src/state/selection";
import { layerInfo } from "./layer_info";

const SHAPE = layerInfo("a", [36, 96], [32, 64]);

describe("points", () => {
  it("are found by place and by polygon, dead ones never", () => {
    const some = Float32Array.from([0.1, 0.1, 0.5, 0.5, Number.NaN, Number.NaN]);
    expect(nearest(some, 0.12, 0.1, 0.05)).toBe(0);
    expect(nearest(some, 0.3, 0.3, 0.05)).toBeNull();
    const box = [
      [0.4, 0.4],
      [0.9, 0.4],
      [0.9, 0.9],
      [0.4, 0.9],
    ] as const;
    expect(inside(some, box)).toEqual([1]);
    expect(neuronAt(SHAPE, 97)).toEqual([1, 1]);
  });
});
