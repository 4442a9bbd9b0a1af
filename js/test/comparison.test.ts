// Runs and a second run beside the first: what is asked about each, and what is painted of both.
import { describe, expect, it } from "vitest";
import { LAYER, OPTIONS, painted } from "./page";
import { canvasInfo, LAYERS } from "./stand_in_canvas";
import { pass, useView } from "./view";

const view = useView();
const SIZE = OPTIONS.width * OPTIONS.height;

/** Runs 0 and 500 are one network; "other" has the same layers, and neurons of its own. */
function runs(same_neurons = true, keys: (number | string)[] = [0, 500, 2400]) {
  const error = "";
  return keys.map((key) => ({ key, group: 0, error, facts: { psnr: 20.5 }, version: 0, same_neurons }));
}
function info(run: number | string) {
  return {
    ...canvasInfo(OPTIONS),
    run,
    counterparts: Object.fromEntries(LAYERS.map(({ name }) => [name, name])),
  };
}
function open(changes: Record<string, unknown> = {}, same_neurons = true) {
  view.open({ _runs: runs(same_neurons), _canvas: info(2400), run: 2400, ...changes });
}
function compared(changes: Record<string, unknown> = {}, same_neurons = true) {
  open({ compare: 500, _compared: info(500), pixel: [3, 4], ...changes }, same_neurons);
}
const find = (name: string) => view.page.find<HTMLElement>(`[data-testid="${name}"]`);
const asked = (kind: "map" | "frame" | "bars" | "pairs") => view.model.requests(kind).map(({ body }) => body);

describe("runs", () => {
  it("are stepped through by slider, keys and clicks, each with requests of its own", () => {
    open();
    view.settle();
    expect(find("run-label").textContent).toBe("2400");
    expect(find("frame").dataset.run).toBe("2400");
    view.key(",");
    expect(view.model.get("run")).toBe(500);
    expect(view.model.last("map").body).toMatchObject({ run: 500, rule: "xinc" });
    // The last picture stays until the next is there, under its own label.
    expect(find("frame").dataset.run).toBe("2400");
    view.settle();
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

  it("are a menu where they have names; one with other layers waits for Python", () => {
    const _runs = runs(false, ["siren", "ffn"]).map((run, group) => ({ ...run, group }));
    view.open({ _runs, _canvas: info("siren"), run: "siren" });
    view.settle();
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
    for (let i = 0; i < 8; i++) view.settle();
    expect(find("status").textContent).toBe("ffn: layer a is not in it: b is shown");
  });

  it("whose weights were replaced are asked about again", () => {
    open();
    view.settle();
    const before = asked("frame").length;
    view.model.assign({ _runs: runs().map((run) => ({ ...run, version: 1 })) });
    pass();
    expect(asked("frame").length).toBeGreaterThan(before);
  });

  it("are followed by a curve, of one network's neurons", () => {
    open();
    view.settle();
    view.settle();
    expect(view.page.find(".cw-panel-time .cw-title").textContent).toBe("Time");
    view.page.find<HTMLElement>('.cw-panel-time [data-value="runs"]').click();
    pass();
    view.settle();
    pass();
    expect(view.model.last("run_curve").body).toMatchObject({ selection: { neuron: [3, 17] } });
    expect(find("run-curve").dataset).toMatchObject({ done: "3", total: "3" });
    expect(view.page.find(".cw-panel-time .cw-title").textContent).toBe("Runs");
  });

  it("of other networks have no totals of a neuron", () => {
    open({}, false);
    view.settle();
    view.page.find<HTMLElement>('.cw-panel-time [data-value="runs"]').click();
    pass();
    view.settle();
    expect(view.model.last("run_curve").body).toMatchObject({ selection: null });
  });
});

describe("a second run", () => {
  it("is asked about the same neuron, and shown beside the first on one scale", () => {
    compared();
    view.settle();
    pass();
    expect(asked("map")).toContainEqual(expect.objectContaining({ run: 500 }));
    expect(asked("pairs")).toEqual([]);
    expect(find("compared").dataset).toMatchObject({ run: "500", mode: "side", selection: `${LAYER}/3,17` });
    expect(find("run-ours").textContent).toBe("step 2400");
    expect(find("run-theirs").textContent).toContain("step 500");
    expect(view.page.find(".cw-stages").hasAttribute("data-beside")).toBe(true);
  });

  it("has the larger of both ranges as the end of its colours, and the bar says so", () => {
    compared({ opacity: 1, source: "off" });
    view.model.settle(["palettes"]);
    for (const request of view.model.requests("map")) {
      const high = request.body.kind === "map" && request.body.run === 500 ? 8 : 2;
      view.model.reply(request, { low: 0, high }, new Uint8Array(SIZE).fill(255));
    }
    pass();
    const [ours, theirs] = ["frame", "compared"].map((name) => [
      ...(painted.get(view.page.find<HTMLCanvasElement>(`[data-testid="${name}"]`))?.subarray(0, 3) ?? []),
    ]);
    expect(ours).not.toEqual(theirs);
    expect(view.page.find(".cw-bar-high").textContent).toBe("8.00");
  });

  it("is taken from the first, map from map", () => {
    compared({ comparison: "map", maps: "signed" });
    view.model.settle(["palettes", "frame"]);
    for (const request of view.model.requests("map")) {
      const second = request.body.kind === "map" && request.body.run === 500;
      view.model.reply(request, { low: -1, high: second ? 4 : 1 }, new Uint8Array(SIZE).fill(255));
    }
    pass();
    expect(find("compared").dataset.mode).toBe("map");
    expect(find("run-theirs").textContent).toBe("step 2400 − step 500");
    expect(view.page.find(".cw-bar-low").textContent).toBe("−3.00");
    expect(view.page.find(".cw-bar-high").textContent).toBe("3.00");
  });

  it("is taken from the first, picture from picture: black where they are equal", () => {
    compared({ comparison: "picture" });
    view.model.settle(["palettes", "map"]);
    for (const request of view.model.requests("frame")) {
      const data = new Uint8Array(SIZE * 3).fill(100);
      if (request.body.kind === "frame" && request.body.run === 500) data.fill(130, 0, 3);
      view.model.reply(request, {}, data);
    }
    pass();
    const pixels = painted.get(view.page.find<HTMLCanvasElement>('[data-testid="compared"]'));
    expect([...(pixels?.subarray(0, 8) ?? [])]).toEqual([255, 255, 255, 255, 0, 0, 0, 255]);
  });

  it("has a bar under each of the first", () => {
    compared();
    view.settle();
    view.settle();
    pass();
    const { body } = view.model.last("bars");
    const pinned = view.model.last("pixel").body;
    expect(body).toMatchObject({ run: 500, time: 2, pixel: [3, 4] });
    expect(pinned).toMatchObject({ run: 2400 });
    const rows = view.page.el.querySelectorAll<HTMLElement>(".cw-bars[data-paired] .cw-bar:not([hidden])");
    expect(rows.length).toBeGreaterThan(2);
    expect([...rows].slice(0, 3).map(({ dataset }) => dataset.other)).toEqual(["-1", "0", "1"]);
  });

  it("of another network is matched by maps, in the background, and says how well", () => {
    compared({}, false);
    view.settle();
    view.settle();
    pass();
    expect(view.model.last("pairs").body).toMatchObject({ run: 2400, other: 500, layer: LAYER });
    // The counterpart of each neuron is the one before it.
    expect(asked("map")).toContainEqual(
      expect.objectContaining({ run: 500, selection: expect.objectContaining({ neuron: [3, 16] }) }),
    );
    expect(find("compared-said").textContent).toBe("↔ 3→16, correlation 0.500");
    view.model.python({ neuron: [0, 0], neurons: [[0, 0]] });
    pass();
    view.settle();
    pass();
    expect(find("compared-said").textContent).toBe("the neuron has no counterpart there");
    expect(find("compared").dataset.selection).toBe("");
  });

  it("has a thumbnail in the corner of each of the first, and neurons sort by how much they differ", () => {
    compared({ sort: "difference" });
    view.settle();
    view.settle();
    pass(500);
    view.settle();
    pass();
    expect(view.model.last("grid").body).toMatchObject({ sort: "difference", beside: 500, run: 2400 });
    const request = view.model.last("thumbnails").body;
    expect(request).toMatchObject({ run: 500, layer: LAYER });
    const cells = [...view.page.el.querySelectorAll<HTMLElement>(".cw-thumb[data-neuron]")];
    expect(cells.length).toBeGreaterThan(3);
    for (const { dataset } of cells) expect(dataset.second).toBe(dataset.neuron);
    view.model.python({ compare: null, _compared: {} });
    view.settle();
    pass(500);
    expect(view.model.last("grid").body).toMatchObject({ sort: "total" });
  });

  it("has a scatter beside that of the first, arranged alike", () => {
    compared({}, false);
    view.settle();
    view.page.find<HTMLElement>('.cw-panel-neurons [data-value="scatter"]').click();
    pass();
    for (let i = 0; i < 4; i++) view.settle();
    const asked = view.model.requests("scatter").map(({ body }) => body);
    expect(asked).toContainEqual(expect.objectContaining({ run: 2400, layer: LAYER, method: "pca" }));
    expect(asked).toContainEqual(expect.objectContaining({ run: 500, layer: LAYER, method: "pca" }));
  });

  it("is left again", () => {
    compared();
    view.settle();
    const menu = view.page.find<HTMLSelectElement>('[data-testid="compare"]');
    menu.selectedIndex = 0;
    menu.dispatchEvent(new Event("change"));
    pass();
    expect(view.model.get("compare")).toBeNull();
    expect(view.page.find(".cw-compared").hidden).toBe(true);
    expect(view.page.find(".cw-stages").hasAttribute("data-beside")).toBe(false);
  });

  it("is under a divider that keys move", () => {
    compared({ comparison: "wipe" });
    view.settle();
    pass();
    const divider = find("divider");
    expect(divider.hidden).toBe(false);
    expect(divider.getAttribute("aria-valuenow")).toBe("50");
    view.key("ArrowRight", divider);
    expect(divider.getAttribute("aria-valuenow")).toBe("55");
    expect(view.model.get("time")).toBe(2);
  });
});
