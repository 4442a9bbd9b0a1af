// Charts of lines: where they break, and what stands at their axes.
import { afterEach, describe, expect, it } from "vitest";
import { type Chart, createLineChart, type Scale } from "../src/ui/line_chart";
import { rankEnds } from "../src/views/run_chart";

afterEach(() => document.body.replaceChildren());

const [WIDTH, HEIGHT] = [300, 130];

function drawn(changes: Partial<Chart> & { values?: number[]; isJoined?: boolean } = {}) {
  const { values = [0, 10, 5], isJoined = true, ...rest } = changes;
  const element = document.createElement("div");
  document.body.append(element);
  for (const [name, value] of [
    ["clientWidth", WIDTH],
    ["clientHeight", HEIGHT],
  ] as const)
    Object.defineProperty(element, name, { value });
  const scale: Scale = { ends: [0, 10], side: "left", label: (value) => `${value} u` };
  const chart: Chart = {
    left: 50,
    right: 50,
    ends: [0, values.length - 1],
    space: 50,
    label: (at) => `frame ${at}`,
    scales: [scale],
    lines: [{ name: "total", values, scale, points: "alone", isJoined }],
    ...rest,
  };
  const made = createLineChart(element, () => chart);
  made.draw();
  const path = (name: string) => element.querySelector(name)?.getAttribute("d");
  const words = [...element.querySelectorAll("text")].map(({ textContent }) => textContent);
  return { element, made, path, words };
}

describe("a chart of lines", () => {
  it("draws values from its bottom to its top, and names round numbers and whole places", () => {
    const { path, words } = drawn();
    // 8 px above, 22 px below for the places' names.
    expect(path(".cw-chart-line")).toBe("M50.0 108.0L150.0 8.0L250.0 58.0");
    expect(path(".cw-area")).toBe("M50.0 108.0L150.0 8.0L250.0 58.0V108H50Z");
    expect(words).toEqual(["frame 0", "frame 1", "frame 2", "0 u", "2 u", "4 u", "6 u", "8 u", "10 u"]);
  });

  it("breaks where a value is not known, and draws what stands alone as a point", () => {
    const gap = Number.NaN;
    const { path } = drawn({ values: [0, 10, gap, Number.POSITIVE_INFINITY, 5] });
    expect(path(".cw-chart-line")).toBe("M50.0 108.0L100.0 8.0");
    expect(path(".cw-point")).toBe("M250.0 58.0h0");
    expect(drawn({ values: [gap, gap, gap] }).path(".cw-chart-line")).toBe("");
  });

  it("has room for rank correlations below 0", () => {
    expect(rankEnds([0.9, Number.NaN, 0.2])).toEqual([0, 1.06]);
    const scale: Scale = { ends: rankEnds([0.9, -0.5]), side: null, label: String };
    const { path } = drawn({
      scales: [scale],
      lines: [{ name: "scored", values: [1.06, -0.5], scale, points: "alone", isJoined: true }],
      ends: [0, 1],
    });
    expect(path(".cw-chart-line")).toBe("M50.0 8.0L250.0 108.0");
  });

  it("joins nothing between places that have names", () => {
    expect(drawn({ isJoined: false }).path(".cw-chart-line")).toBe("");
  });

  it("marks places, and says which one is under the pointer", () => {
    const { element, made, path } = drawn({ marks: [{ at: 1, isDashed: true }] });
    expect(path(".cw-chart-mark.cw-dashed")).toBe("M150 8V108");
    const svg = element.querySelector("svg") as SVGElement;
    svg.getBoundingClientRect = () => new DOMRect(1000, 0, WIDTH, HEIGHT);
    expect([1050, 1140, 1160, 1250].map(made.at)).toEqual([0, 1, 1, 2]);
  });

  it("has powers of ten at equal distances where its scale says so, without what is not above 0", () => {
    const scale: Scale = {
      ends: [1e-4, 1],
      side: "left",
      label: (value) => value.toExponential(),
      isLog: true,
    };
    const values = [1, 0, 1e-2, 1e-4];
    const lines = [{ name: "total", values, scale, points: "alone", isJoined: true } as const];
    const { path, words } = drawn({ values, scales: [scale], lines });
    expect(path(".cw-chart-line")).toBe("M183.3 58.0L250.0 108.0");
    expect(path(".cw-point")).toBe("M50.0 8.0h0");
    expect(words.slice(-5)).toEqual(["1e-4", "1e-3", "1e-2", "1e-1", "1e+0"]);
  });

  it("draws values at given places, which need not be whole, and shades a part of them", () => {
    const { element, made, path, words } = drawn({
      ends: [0, 0.5],
      places: [0, 0.1, 0.5],
      label: String,
      span: { from: 0.1, to: 0.25 },
    });
    expect(path(".cw-chart-line")).toBe("M50.0 108.0L90.0 8.0L250.0 58.0");
    expect(path(".cw-area")).toBe("M50.0 108.0L90.0 8.0L250.0 58.0V108H50Z");
    expect(path(".cw-chart-span")).toBe("M90 8H150V108H90Z");
    expect(words.slice(0, 3)).toEqual(["0", "0.1", "0.2"]);
    const svg = element.querySelector("svg") as SVGElement;
    svg.getBoundingClientRect = () => new DOMRect(1000, 0, WIDTH, HEIGHT);
    expect(made.along(1090)).toBeCloseTo(0.1);
  });

  it("is empty where there is nothing to draw, and waits for a size", () => {
    const element = document.createElement("div");
    const made = createLineChart(element, () => null);
    made.draw();
    expect([element.querySelectorAll("path").length, made.at(10)]).toEqual([0, null]);
  });
});
