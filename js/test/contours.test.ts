// Lines of equal contribution over the map.
import { describe, expect, it } from "vitest";
import { contourPath } from "../src/ui/contours";
import { pass, useView } from "./view";

const STYLE = { maps: "magnitude", palette: "viridis", opacity: 1, contrast: 1 } as const;
/** The ends of the segments of a path. */
const segments = (path: string) =>
  path
    .split("M")
    .slice(1)
    .map((segment) => segment.split("L").map((end) => end.split(" ").map(Number)));

describe("the path", () => {
  const ramp = { width: 5, height: 3, low: 0, high: 1, data: new Uint8Array(15) };
  for (let i = 0; i < 15; i++) ramp.data[i] = Math.round(((i % 5) / 4) * 255);

  it("crosses where the values between two pixels are a quarter, a half and three quarters of the end", () => {
    const found = segments(contourPath(ramp, STYLE, null, 5));
    const xs = found.map(([from, to]) => [from?.[0], to?.[0]]);
    expect(found).toHaveLength(6); // three lines over the two rows between pixels' middles
    for (const [i, x] of [1.5, 2.5, 3.5].entries())
      for (const [from, to] of xs.slice(2 * i, 2 * i + 2)) {
        expect(from).toBeCloseTo(x, 1);
        expect(to).toBeCloseTo(x, 1);
      }
    expect(new Set(found.flat().map(([, y]) => y))).toEqual(new Set([0.5, 1.5, 2.5]));
  });

  it("follows the end of the colours, and the size of the picture", () => {
    const tops = segments(contourPath(ramp, STYLE, 2, 10)).map(([from]) => from?.[0] ?? 0);
    expect([Math.min(...tops), Math.max(...tops)].map((x) => Math.round(x))).toEqual([5, 5]); // 0.5 and 1 of 1: half alone
    expect(segments(contourPath(ramp, { ...STYLE, contrast: 4 }, null, 5)).length).toBe(6);
    expect(contourPath({ ...ramp, data: new Uint8Array(15) }, STYLE, null, 5)).toBe("");
  });

  it("tells signs apart where they are drawn, and has both of two lines through a saddle", () => {
    const saddle = { width: 2, height: 2, low: -1, high: 1, data: Uint8Array.from([255, 0, 0, 255]) };
    expect(contourPath(saddle, STYLE, null, 2)).toBe(""); // all have one magnitude
    expect(segments(contourPath(saddle, { ...STYLE, maps: "signed" }, null, 2))).toHaveLength(12);
  });
});

describe("contours", () => {
  const view = useView();

  it("are drawn over the map of the selection when they are chosen, and gone without a map", async () => {
    view.open();
    await view.settle();
    const drawn = () => view.page.find("[data-testid=contours] path").getAttribute("d") ?? "";
    const box = view.page.find<HTMLInputElement>("[data-testid=contours-on]");
    expect([drawn(), box.checked]).toEqual(["", false]);
    box.checked = true;
    box.dispatchEvent(new Event("change"));
    pass();
    expect(view.model.get("contours")).toBe(true);
    const own = drawn();
    expect(own).toMatch(/^M[\d.]+ [\d.]+L/);
    view.model.python({ contrast: 8 });
    pass();
    expect(drawn()).not.toBe(own);
    view.model.python({ contours: false });
    pass();
    expect(drawn()).toBe("");
  });
});
