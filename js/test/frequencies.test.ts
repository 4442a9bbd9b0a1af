// Neurons in the colours of their frequencies: in the grid, in the scatter, and the bar that says what they stand for.
import { describe, expect, it } from "vitest";
import { frequencyColour } from "../src/ui/palette";
import { LAYER, NEXT, palette } from "./page";
import { pass, useView } from "./view";

const view = useView();
const choice = (value: string) => view.page.find(`.cw-colour-by [data-value=${value}]`);
const bar = () => view.page.find("[data-testid=frequency-bar]");
const thumbs = () => [...view.page.el.querySelectorAll<HTMLElement>(".cw-thumb[data-neuron]")];
const asked = () =>
  view.model
    .requests("values")
    .map(({ body }) => body)
    .filter((body) => body.kind === "values" && body.sort === "frequency");
const ends = () => ["low", "high"].map((end) => Number(bar().querySelector(`.cw-bar-${end}`)?.textContent));
const PALETTES = { sequential: [], diverging: [], tables: new Map([["viridis", palette("viridis")]]) };
const VALUES = Float32Array.from({ length: 96 }, (_, at) => (at === 5 ? Number.NaN : 0.05 + at / 1000));
const answer = {
  kind: "values",
  time: 2,
  layer: LAYER,
  sort: "frequency",
  pixel: null,
  half_width: 0,
} as const;

async function open(changes: Record<string, unknown> = {}) {
  view.open(changes);
  await view.settle();
}

describe("the colour of a frequency", () => {
  const entry = (at: number) => `rgb(${[...palette("viridis").subarray(3 * at, 3 * at + 3)].join(", ")})`;

  it("goes through the palette in equal factors, so that octaves are equally far apart", () => {
    const colour = (frequency: number) => frequencyColour(PALETTES, frequency, [0.05, 0.2]);
    expect([0.05, 0.1, 0.2].map(colour)).toEqual([0, 128, 255].map(entry));
    expect([0.01, 0.7].map(colour)).toEqual([0, 255].map(entry)); // of another layer's range
    expect(colour(Number.NaN)).toBeNull();
    expect(frequencyColour(PALETTES, 0.1, [0.1, 0.1])).toBe(entry(128));
  });
});

describe("colours of neurons", () => {
  it("are of clusters until frequencies are chosen, which are measured then, and Python hears of it", async () => {
    await open();
    expect([asked().length, bar().hidden, choice("cluster").getAttribute("aria-pressed")]).toEqual([
      0,
      true,
      "true",
    ]);
    choice("frequency").click();
    pass();
    expect(view.model.get("colour_by")).toBe("frequency");
    expect(asked()).toEqual([
      expect.objectContaining({ layer: LAYER, rule: "xinc", time: 2, sort: "frequency", pixel: null }),
    ]);
    expect(bar().textContent).toContain("measuring every map");
    await view.settle();
    const [low = 0, high = 0] = ends();
    expect(low).toBeGreaterThan(0);
    expect(high).toBeGreaterThan(low);
    expect(high).toBeLessThan(0.71);
    expect(bar().textContent).toContain("cycles a pixel");
  });

  it("are those of the palette, from the lowest frequency to the highest; a map without one has none", async () => {
    await open({ colour_by: "frequency", sort: "index" });
    view.model.set("time", 3);
    pass(400);
    const request = view.model.last("values");
    await view.model.reply(request, { ...answer, time: 3 }, new Uint8Array(VALUES.buffer.slice(0)));
    await view.settle();
    expect(ends()).toEqual([0.05, 0.145]);
    expect(bar().textContent).toContain("1 without a frequency");
    const cells = thumbs();
    expect(cells.length).toBeGreaterThan(6);
    cells.forEach((cell) => {
      const [unit = 0, output = 0] = (cell.dataset.neuron ?? "").split(",").map(Number);
      const flat = 16 * unit + output;
      const frequency = VALUES[flat] as number;
      const colour = cell.style.getPropertyValue("--cw-cluster");
      if (flat === 5) {
        expect([colour, cell.dataset.frequency]).toEqual(["", "NaN"]);
        expect(cell.title).toContain("no frequency");
        return;
      }
      expect(Number(cell.dataset.frequency)).toBeCloseTo(frequency);
      expect(colour).toBe(frequencyColour(PALETTES, frequency, [VALUES[0] as number, VALUES[95] as number]));
      expect(cell.title).toContain(`frequency: ${frequency.toPrecision(3)} cycles a pixel`);
    });
    expect(new Set(cells.map((cell) => cell.style.getPropertyValue("--cw-cluster"))).size).toBeGreaterThan(5);
  });

  it("are not those of another layer, and come back with clusters", async () => {
    await open({ colour_by: "frequency" });
    expect(thumbs().every(({ dataset }) => dataset.frequency !== undefined)).toBe(true);
    view.key("]");
    expect(view.model.get("layer")).toBe(NEXT);
    expect(bar().textContent).toContain("measuring every map");
    expect(asked().at(-1)).toMatchObject({ layer: NEXT });
    choice("cluster").click();
    await view.settle();
    expect([bar().hidden, thumbs().some(({ dataset }) => dataset.frequency !== undefined)]).toEqual([
      true,
      false,
    ]);
    view.key("[");
    await view.settle();
    view.page.find("[data-testid=cluster-neurons]").click();
    await view.settle();
    expect(thumbs().some(({ dataset }) => dataset.cluster !== undefined)).toBe(true);
    choice("frequency").click();
    pass();
    expect(thumbs().some(({ dataset }) => dataset.cluster !== undefined)).toBe(false);
  });

  it("say why there are none", async () => {
    await open();
    choice("frequency").click();
    pass();
    const message = "sort='frequency': the 18,000 maps would take about 9 minutes";
    view.model.say({ type: "error", id: view.model.last("values").id, message });
    pass();
    expect(bar().querySelector(".cw-problem")?.textContent).toBe(message);
    expect(bar().querySelector<HTMLElement>(".cw-colourbar")?.hidden).toBe(true);
  });
});
