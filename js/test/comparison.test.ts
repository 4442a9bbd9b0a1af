// A second run beside the first: what is asked about each, and what is painted of both.
import { describe, expect, it } from "vitest";
import { rankedAt } from "./baked";
import { CANVAS } from "./fixture";
import { LAYER, NEURON, painted } from "./page";
import { info, KINDS, useRuns } from "./runs_view";
import { pass } from "./view";

const { view, compared, find, asked } = useRuns();
const SIZE = CANVAS.width * CANVAS.height;
/** The counterpart of each neuron is the one before it. */
const PAIRED = { kind: "pairs", time: 2, layer: LAYER, other_layer: LAYER } as const;
function pairs(): Uint8Array {
  const places = Int32Array.from({ length: 6 * 16 }, (_, i) => i - 1);
  const correlations = Float32Array.from(places, (place) => (place < 0 ? Number.NaN : 0.5));
  return new Uint8Array(
    Uint32Array.of(...new Uint32Array(places.buffer), ...new Uint32Array(correlations.buffer)).buffer,
  );
}

describe("a second run", () => {
  it("is asked about the same neuron, and shown beside the first on one scale", async () => {
    compared();
    await view.settle();
    pass();
    expect(asked("map")).toContainEqual(expect.objectContaining({ run: 500 }));
    expect(asked("pairs")).toEqual([]);
    expect(find("compared").dataset).toMatchObject({
      run: "500",
      mode: "side",
      selection: `${LAYER}/${NEURON}`,
    });
    expect(find("run-ours").textContent).toBe("step 2400");
    expect(find("run-theirs").textContent).toContain("step 500");
    expect(view.page.find(".cw-stages").hasAttribute("data-beside")).toBe(true);
  });

  it("has the larger of both ranges as the end of its colours, and the bar says so", async () => {
    compared({ opacity: 1, source: "off" });
    await view.model.settle(["palettes"]);
    for (const request of view.model.requests("map")) {
      const high = request.body.kind === "map" && request.body.run === 500 ? 8 : 2;
      await view.model.reply(request, { low: 0, high }, new Uint8Array(SIZE).fill(255));
    }
    pass();
    const [ours, theirs] = ["frame", "compared"].map((name) => [
      ...(painted.get(view.page.find<HTMLCanvasElement>(`[data-testid="${name}"]`))?.subarray(0, 3) ?? []),
    ]);
    expect(ours).not.toEqual(theirs);
    expect(view.page.find(".cw-bar-high").textContent).toBe("8.00");
  });

  it("shows what its quantised weights lose, or is as it was where none can be quantised", async () => {
    const of = (run: number) =>
      asked("frame").filter((body) => "run" in body && body.run === run && "source" in body);
    const quantised = { bits: 3, scheme: "per-tensor" };
    compared({ source: "quantisation", bits: 3 });
    await view.settle();
    expect(of(500)).toEqual([expect.objectContaining({ source: "quantisation", quantised })]);
    const quantisation = { why_not: "a saved canvas does not contain the weights", left_out: {} };
    compared({ source: "quantisation", bits: 3, _compared: { ...info(500), quantisation } });
    await view.settle();
    expect(of(2400)).toEqual([expect.objectContaining({ source: "quantisation", quantised })]);
    expect(of(500)).toEqual([expect.objectContaining({ source: "reconstruction" })]);
    expect(find("run-theirs").textContent).toContain("original");
  });

  it("is taken from the first, map from map", async () => {
    compared({ comparison: "map", maps: "signed" });
    await view.model.settle(["palettes", "frame"]);
    for (const request of view.model.requests("map")) {
      const second = request.body.kind === "map" && request.body.run === 500;
      await view.model.reply(request, { low: -1, high: second ? 4 : 1 }, new Uint8Array(SIZE).fill(255));
    }
    pass();
    expect(find("compared").dataset.mode).toBe("map");
    expect(find("run-theirs").textContent).toBe("step 2400 − step 500");
    expect(view.page.find(".cw-bar-low").textContent).toBe("−3.00");
    expect(view.page.find(".cw-bar-high").textContent).toBe("3.00");
  });

  it("is taken from the first, picture from picture: black where they are equal", async () => {
    compared({ comparison: "picture" });
    await view.model.settle(["palettes", "map"]);
    for (const request of view.model.requests("frame")) {
      const data = new Uint8Array(SIZE * 3).fill(100);
      if (request.body.kind === "frame" && request.body.run === 500) data.fill(130, 0, 3);
      await view.model.reply(request, {}, data);
    }
    pass();
    const pixels = painted.get(view.page.find<HTMLCanvasElement>('[data-testid="compared"]'));
    expect([...(pixels?.subarray(0, 8) ?? [])]).toEqual([255, 255, 255, 255, 0, 0, 0, 255]);
  });

  it("has a bar under each of the first", async () => {
    compared();
    await view.settle();
    await view.settle();
    pass();
    const { body } = view.model.last("bars");
    const pinned = view.model.last("pixel").body;
    expect(body).toMatchObject({ run: 500, time: 2, pixel: [3, 4] });
    expect(pinned).toMatchObject({ run: 2400 });
    const rows = view.page.el.querySelectorAll<HTMLElement>(".cw-bars[data-paired] .cw-bar:not([hidden])");
    expect(rows.length).toBeGreaterThan(2);
    expect([...rows].slice(0, 3).map(({ dataset }) => dataset.other)).toEqual(
      (await rankedAt(2, [3, 4])).values.slice(0, 3).map(String),
    );
  });

  it("of another network is matched by maps, in the background, and says how well", async () => {
    compared({}, false);
    for (let i = 0; i < 3; i++) {
      await view.model.settle(KINDS);
      pass(300);
    }
    await view.model.reply(view.model.last("pairs"), PAIRED, pairs());
    await view.settle();
    pass();
    expect(view.model.last("pairs").body).toMatchObject({ run: 2400, other: 500, layer: LAYER });
    // The counterpart of each neuron is the one before it.
    expect(asked("map")).toContainEqual(
      expect.objectContaining({ run: 500, selection: expect.objectContaining({ neuron: [1, 10] }) }),
    );
    expect(find("compared-said").textContent).toBe("↔ 1→10, correlation 0.500");
    view.model.python({ neuron: [0, 0], neurons: [[0, 0]] });
    pass();
    await view.settle();
    pass();
    expect(find("compared-said").textContent).toBe("the neuron has no counterpart there");
    expect(find("compared").dataset.selection).toBe("");
  });

  it("has a thumbnail in the corner of each of the first, and neurons sort by how much they differ", async () => {
    compared({ sort: "difference" });
    await view.settle();
    await view.settle();
    pass(500);
    await view.settle();
    pass();
    expect(view.model.last("grid").body).toMatchObject({ sort: "difference", beside: 500, run: 2400 });
    const request = view.model.last("thumbnails").body;
    expect(request).toMatchObject({ run: 500, layer: LAYER });
    const cells = [...view.page.el.querySelectorAll<HTMLElement>(".cw-thumb[data-neuron]")];
    expect(cells.length).toBeGreaterThan(3);
    for (const { dataset } of cells) expect(dataset.second).toBe(dataset.neuron);
    view.model.python({ compare: null, _compared: {} });
    await view.settle();
    pass(500);
    expect(view.model.last("grid").body).toMatchObject({ sort: "total" });
  });

  it("has a scatter beside that of the first, arranged alike", async () => {
    compared({}, false);
    await view.settle();
    view.page.find<HTMLElement>('.cw-panel-neurons [data-value="scatter"]').click();
    pass();
    for (let i = 0; i < 4; i++) await view.settle();
    const asked = view.model.requests("scatter").map(({ body }) => body);
    expect(asked).toContainEqual(expect.objectContaining({ run: 2400, layer: LAYER, method: "pca" }));
    expect(asked).toContainEqual(expect.objectContaining({ run: 500, layer: LAYER, method: "pca" }));
  });

  it("is left again", async () => {
    compared();
    await view.settle();
    const menu = view.page.find<HTMLSelectElement>('[data-testid="compare"]');
    menu.selectedIndex = 0;
    menu.dispatchEvent(new Event("change"));
    pass();
    expect(view.model.get("compare")).toBeNull();
    expect(view.page.find(".cw-compared").hidden).toBe(true);
    expect(view.page.find(".cw-stages").hasAttribute("data-beside")).toBe(false);
  });

  it("is under a divider that keys move", async () => {
    compared({ comparison: "wipe" });
    await view.settle();
    pass();
    const divider = find("divider");
    expect(divider.hidden).toBe(false);
    expect(divider.getAttribute("aria-valuenow")).toBe("50");
    view.key("ArrowRight", divider);
    expect(divider.getAttribute("aria-valuenow")).toBe("55");
    expect(view.model.get("time")).toBe(2);
  });
});

describe("a cluster in a second run", () => {
  const labels = (other: number[]) => {
    const all = new Uint8Array(1e5);
    for (const at of other) all[at] = 1;
    return all;
  };
  const open = async (cluster: number, places: number[]) => {
    compared({ neuron: null, cluster });
    for (let i = 0; i < 8; i++) {
      for (const request of view.model.requests("clusters"))
        await view.model.reply(request, {}, labels(places));
      await view.model.settle(KINDS);
      pass(300);
    }
    return asked("map").filter((body) => body.kind === "map" && body.run === 500);
  };

  it("is its members, summed up as a cluster is, even where there is one only", async () => {
    const neuron = [0, 5];
    const selection = expect.objectContaining({ neuron: null, neurons: [neuron], cluster: -1 });
    expect(await open(1, [5])).toEqual([expect.objectContaining({ selection })]);
  });

  it("is nothing where it has no neurons, and not the whole layer", async () => {
    expect(await open(2, [5])).toEqual([]);
  });
});
