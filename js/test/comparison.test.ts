// Runs and a second run beside the first: what is asked about each, and what is painted of both.
import { describe, expect, it } from "vitest";
import type { Body } from "../src/transport/messages";
import { rankedAt } from "./baked";
import { CANVAS } from "./fixture";
import { LAYER, NEURON, painted } from "./page";
import { pass, useView } from "./view";

const view = useView();
const SIZE = CANVAS.width * CANVAS.height;

/** Runs 0 and 500 are one network; "other" has the same layers, and neurons of its own. */
function runs(same_neurons = true, keys: (number | string)[] = [0, 500, 2400]) {
  const error = "";
  return keys.map((key) => ({ key, group: 0, error, facts: { psnr: 20.5 }, version: 0, same_neurons }));
}
function info(run: number | string) {
  return {
    ...CANVAS,
    run,
    counterparts: Object.fromEntries(CANVAS.layers.map(({ name }) => [name, name])),
  };
}
function open(changes: Record<string, unknown> = {}, same_neurons = true) {
  view.open({ _runs: runs(same_neurons), _canvas: info(2400), run: 2400, ...changes });
}
function compared(changes: Record<string, unknown> = {}, same_neurons = true) {
  open({ compare: 500, _compared: info(500), pixel: [3, 4], ...changes }, same_neurons);
}
const find = (name: string) => view.page.find<HTMLElement>(`[data-testid="${name}"]`);
/** All that the tests below don't answer by themselves. */
const KINDS: Body["kind"][] = [
  "palettes",
  "frame",
  "map",
  "pixel",
  "bars",
  "grid",
  "curve",
  "strip",
  "regions",
];
/** The counterpart of each neuron is the one before it. */
const PAIRED = { kind: "pairs", time: 2, layer: LAYER, other_layer: LAYER } as const;
function pairs(): Uint8Array {
  const places = Int32Array.from({ length: 6 * 16 }, (_, i) => i - 1);
  const correlations = Float32Array.from(places, (place) => (place < 0 ? Number.NaN : 0.5));
  return new Uint8Array(
    Uint32Array.of(...new Uint32Array(places.buffer), ...new Uint32Array(correlations.buffer)).buffer,
  );
}
const asked = (kind: "map" | "frame" | "bars" | "pairs") => view.model.requests(kind).map(({ body }) => body);

describe("runs", () => {
  it("are stepped through by slider, keys and clicks, each with requests of its own", async () => {
    open();
    await view.settle();
    expect(find("run-label").textContent).toBe("2400");
    expect(find("frame").dataset.run).toBe("2400");
    view.key(",");
    expect(view.model.get("run")).toBe(500);
    expect(view.model.last("map").body).toMatchObject({ run: 500, rule: "xinc" });
    // The last picture stays until the next is there, under its own label.
    expect(find("frame").dataset.run).toBe("2400");
    await view.settle();
    pass();
    expect(find("frame").dataset.run).toBe("500");
    const slider = view.page.find<HTMLInputElement>('[data-testid="run"]');
    slider.value = "0";
    slider.dispatchEvent(new Event("input"));
    pass();
    expect(view.model.get("run")).toBe(0);
    view.key(",");
    expect(view.model.get("run")).toBe(0);
  });

  it("are a menu where they have names; one with other layers waits for Python", async () => {
    const _runs = runs(false, ["siren", "ffn"]).map((run, group) => ({ ...run, group }));
    view.open({ _runs, _canvas: info("siren"), run: "siren" });
    await view.settle();
    const menu = view.page.find<HTMLSelectElement>('[data-testid="run-menu"]');
    expect([...menu.options].map(({ value }) => value)).toEqual(["siren", "ffn"]);
    const before = view.model.requests().length;
    menu.selectedIndex = 1;
    menu.dispatchEvent(new Event("change"));
    pass();
    expect(view.model.get("run")).toBe("ffn");
    expect(find("status").textContent).toBe("opening ffn");
    expect(
      view.model
        .requests()
        .slice(before)
        .filter(({ body }) => body.kind === "map"),
    ).toEqual([]);
    view.model.assign({ _canvas: { ...info("ffn"), notice: "layer a is not in it: b is shown" } });
    pass();
    expect(view.model.last("map").body).toMatchObject({ run: "ffn" });
    for (let i = 0; i < 8; i++) await view.settle();
    expect(find("status").textContent).toBe("ffn: layer a is not in it: b is shown");
  });

  it("whose weights were replaced are asked about again", async () => {
    open();
    await view.settle();
    const before = asked("frame").length;
    view.model.assign({ _runs: runs().map((run) => ({ ...run, version: 1 })) });
    pass();
    expect(asked("frame").length).toBeGreaterThan(before);
  });

  it("are followed by a curve, of one network's neurons", async () => {
    open();
    await view.settle();
    await view.settle();
    expect(view.page.find(".cw-panel-time .cw-title").textContent).toBe("Time");
    view.page.find<HTMLElement>('.cw-panel-time [data-value="runs"]').click();
    pass();
    await view.settle();
    pass();
    expect(view.model.last("run_curve").body).toMatchObject({ selection: { neuron: NEURON } });
    expect(find("run-curve").dataset).toMatchObject({ done: "3", total: "3" });
    expect(view.page.find(".cw-panel-time .cw-title").textContent).toBe("Runs");
  });

  it("of other networks have no totals of a neuron", async () => {
    open({}, false);
    await view.settle();
    view.page.find<HTMLElement>('.cw-panel-time [data-value="runs"]').click();
    pass();
    await view.settle();
    expect(view.model.last("run_curve").body).toMatchObject({ selection: null });
  });
});

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

describe("what stands under the name of a run", () => {
  const option = (name: string) =>
    [...view.page.find<HTMLSelectElement>(`[data-testid="${name}"]`).options].map((one) => one.textContent);

  it("is a picture of that run, also while the next one is awaited", async () => {
    compared();
    await view.settle();
    pass();
    expect(find("run-theirs").textContent).toContain("step 500");
    view.model.python({ compare: 0, _compared: info(0) });
    pass();
    expect(find("compared").dataset.run).toBe("500");
    expect(find("run-theirs").textContent).toContain("step 500");
    await view.settle();
    pass();
    expect(find("compared").dataset.run).toBe("0");
    expect(find("run-theirs").textContent).toContain("step 0");
  });

  it("are neurons of a pixel, and maps under every rule, that say so while the next ones are awaited", async () => {
    open({ pixel: [3, 4] });
    await view.settle();
    find("rules-button").click();
    await view.settle();
    const label = () => view.page.find(".cw-panel-pixel .cw-label").textContent;
    const rules = () => view.page.find('[data-testid="rules"] .cw-label').textContent;
    expect(label()).not.toContain("step");
    expect(rules()).toContain("step 2400");
    view.model.python({ run: 500 });
    pass();
    expect(label()).toContain("step 2400");
    expect(rules()).toContain("step 2400");
    await view.settle();
    expect(label()).not.toContain("step");
    expect(rules()).toContain("step 500");
  });

  it("says that it is broken once that is known", () => {
    const named = runs(false, ["siren", "ffn"]);
    view.open({ _runs: named, _canvas: info("siren"), run: "siren" });
    expect(option("run-menu")).toEqual(["siren", "ffn"]);
    view.model.python({ _runs: named.map((run) => (run.key === "ffn" ? { ...run, error: "gone" } : run)) });
    pass();
    expect(option("run-menu")).toEqual(["siren", "ffn (broken)"]);
    expect(option("compare")).toEqual(["no run", "siren", "ffn (broken)"]);
  });

  it("is one of two whose keys are written alike", () => {
    const keys = [1, "1", "–"];
    view.open({ _runs: runs(false, keys), _canvas: info("1"), run: "1", compare: "–", _compared: info("–") });
    const [menu, second] = ["run-menu", "compare"].map((name) =>
      view.page.find<HTMLSelectElement>(`[data-testid="${name}"]`),
    ) as [HTMLSelectElement, HTMLSelectElement];
    expect(menu.selectedIndex).toBe(1);
    expect(second.selectedIndex).toBe(3);
    expect(option("compare")).toEqual(["no run", "1", "1", "–"]);
  });

  it("are bars of the colour that the first run's are of", async () => {
    const layers = CANVAS.layers.map((layer) => ({ ...layer, why_no_colours: "", each_colour: true }));
    compared({ _canvas: { ...info(2400), layers }, _compared: { ...info(500), layers } });
    await view.settle();
    await view.settle();
    pass();
    const others = () => view.page.el.querySelectorAll(".cw-bars .cw-bar[data-other]").length;
    expect(others()).toBeGreaterThan(0);
    view.model.python({ channel: "red" });
    pass(200);
    expect(view.model.last("pixel").body).toMatchObject({ selection: { channel: "red" } });
    await view.model.reply(view.model.last("pixel"), { channel: "red" });
    pass(0);
    expect(others()).toBe(0);
    await view.model.settle(["bars"]);
    pass();
    expect(others()).toBeGreaterThan(0);
  });

  it("is nothing where it has not the colour that the first run's map is of", async () => {
    const layers = CANVAS.layers.map((layer) => ({ ...layer, why_no_colours: "", each_colour: true }));
    const grey = layers.map((layer) => ({ ...layer, why_no_colours: "it is grey" }));
    compared({
      channel: "red",
      _canvas: { ...info(2400), layers },
      _compared: { ...info(500), layers: grey },
    });
    await view.settle();
    pass();
    expect(asked("map").map((body) => "run" in body && body.run)).toEqual([2400]);
    expect(find("compared").dataset.run).toBe("500");
    expect(find("compared").dataset.selection ?? "").toBe("");
    expect(find("compared-said").textContent).toBe("no red there: it is grey");
  });

  it("is painted anew with other weights", async () => {
    compared();
    const answer = async (level: number) => {
      for (let i = 0; i < 12; i++) {
        for (const request of view.model.requests("thumbnails")) {
          const { body } = request;
          if (body.kind === "thumbnails")
            await view.model.reply(request, {}, new Uint8Array(1e6).fill(level));
        }
        await view.model.settle(KINDS);
        pass(200);
      }
    };
    const pixel = () => {
      const second = view.page.find<HTMLCanvasElement>(".cw-thumb[data-second] .cw-thumb-second");
      return [...(painted.get(second)?.subarray(0, 3) ?? [])];
    };
    await answer(10);
    const before = pixel();
    view.model.python({ _runs: runs().map((run) => ({ ...run, version: 1 })) });
    await answer(250);
    expect(before).toHaveLength(3);
    expect(pixel()).not.toEqual(before);
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
