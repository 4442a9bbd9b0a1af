import { describe, expect, it } from "vitest";
import { stepNames } from "../src/views/layer_control";

describe("the names under the slider over the layers", () => {
  const five = ["downconv", "1", "2", "3", "head"];

  it("are whole where there is room", () => {
    expect(stepNames(five, 80)).toEqual(five);
    expect(stepNames(["net"], 0)).toEqual(["net"]);
    expect(stepNames([], 50)).toEqual([]);
  });

  it("lose letters where two of them would touch, the longer one first", () => {
    expect(stepNames(five, 36)).toEqual(["down", "1", "2", "3", "head"]);
    const nine = Array.from({ length: 9 }, (_, i) => String(i));
    expect(stepNames(nine, 14)).toEqual(nine);
  });

  it("are their ends where they begin alike", () => {
    expect(stepNames(["conv1", "conv2", "conv3"], 27)).toEqual(["v1", "v2", "v3"]);
  });

  it("are left out where they can't be told apart, or do not fit", () => {
    expect(stepNames(["a.conv", "b.conv"], 3)).toEqual([]);
    expect(stepNames(["xay", "xby", "xcy"], 20)).toEqual([]);
    expect(stepNames(["conv", "conv"], 100)).toEqual([]);
  });
});
