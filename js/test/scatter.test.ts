import { describe, expect, it } from "vitest";
import { middles, turnTowards } from "../src/sources/scatter";
import { neuronAt, selectionKey } from "../src/state/selection";
import { layerInfo } from "./layer_info";
import { LAYER } from "./page";
import { at, points, scatterOf } from "./scatter_view";
import { pass, useView } from "./view";

const view = useView();
const SHAPE = layerInfo(LAYER, [36, 96], [32, 64]);
const { button, stage, open } = scatterOf(view);

describe("scatter", () => {
  it("is asked for only when it is shown", async () => {
    view.open();
    await view.settle();
    expect(view.model.requests("scatter")).toEqual([]);
    button("scatter").click();
    pass();
    expect(view.model.last("scatter").body).toMatchObject({ layer: LAYER, method: "pca", time: 2 });
    await view.settle();
    expect(view.page.find(".cw-panel-neurons").dataset.state).toBe("ready");
    const select = view.page.find<HTMLSelectElement>("[data-testid=embedding]");
    select.value = "tsne";
    select.dispatchEvent(new Event("change"));
    pass();
    expect(view.model.last("scatter").body).toMatchObject({ method: "tsne" });
  });

  it("selects the nearest neuron on a click, adds with shift", async () => {
    await open();
    view.pointer("pointerdown", stage(), ...at(0.5, 0.5), 1);
    view.pointer("pointerup", stage(), ...at(0.5, 0.5));
    pass();
    expect(view.model.get("neuron")).toEqual([0, 0]);
    const [x, y] = at(0.6, 0.5);
    view.pointer("pointerdown", stage(), x, y, 1);
    stage().dispatchEvent(new PointerEvent("pointerup", { clientX: x, clientY: y, shiftKey: true }));
    pass();
    expect(view.model.get("neurons")).toEqual([
      [0, 0],
      [0, 1],
    ]);
  });

  it("selects what a lasso goes around", async () => {
    await open();
    view.pointer("pointerdown", stage(), ...at(0.4, 0.4), 1);
    for (const corner of [
      [0.9, 0.4],
      [0.9, 0.9],
      [0.4, 0.9],
    ] as [number, number][])
      view.pointer("pointermove", stage(), ...at(...corner), 1);
    view.pointer("pointerup", stage(), ...at(0.4, 0.9));
    pass();
    expect(view.model.get("neurons")).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
    ]);
    expect(view.model.get("neuron")).toEqual([0, 2]);
  });

  it("zooms about the pointer, moves when dragged, and draws with shift then", async () => {
    await open();
    const factor = () => view.page.find("[data-testid=scatter-zoom-fit]").textContent;
    const click = (x: number, y: number) => {
      view.pointer("pointerdown", stage(), x, y, 1);
      view.pointer("pointerup", stage(), x, y);
      pass();
    };
    const [x, y] = at(0.6, 0.5);
    view.page.find(".cw-root").focus();
    const wheel = new WheelEvent("wheel", { deltaY: -500 * Math.log(4) });
    Object.defineProperties(wheel, { clientX: { value: x }, clientY: { value: y } });
    stage().dispatchEvent(wheel);
    pass();
    expect(factor()).toBe("4×");
    click(x, y); // what was under the pointer stays there
    expect(view.model.get("neuron")).toEqual([0, 1]);
    click(x - 4 * 30.4, y); // a tenth is four times as wide
    expect(view.model.get("neuron")).toEqual([0, 0]);
    view.pointer("pointerdown", stage(), x, y, 1);
    view.pointer("pointermove", stage(), x + 20, y, 1);
    view.pointer("pointerup", stage(), x + 20, y);
    pass();
    expect(view.model.get("neuron")).toEqual([0, 0]); // neither a click nor a lasso
    click(x + 20, y);
    expect(view.model.get("neuron")).toEqual([0, 1]);
    view.page.find("[data-testid=scatter-zoom-fit]").click();
    pass();
    expect(factor()).toBe("1×");
    click(...at(0.5, 0.6));
    expect(view.model.get("neuron")).toEqual([0, 2]);
  });

  it("shows the map of the point under the pointer, once it rests there", async () => {
    await open();
    const map = () => view.page.find("[data-testid=pointed-map]");
    view.pointer("pointermove", stage(), ...at(0.5, 0.5));
    pass(20);
    view.pointer("pointermove", stage(), ...at(0.6, 0.5));
    pass();
    expect(view.page.find(".cw-tip").hidden).toBe(false);
    expect(map().hidden).toBe(true);
    const asked = view.model.requests("thumbnails");
    expect(asked.map(({ body }) => body)).toMatchObject([{ layer: LAYER, neurons: [[0, 1]], run: null }]);
    const data = new Uint8Array(4).fill(9);
    const one = { height: 2, width: 2, low: [0], high: [1], totals: [1] };
    await view.model.reply(asked[0] as never, { ...one, layer: LAYER, time: 2 } as never, data);
    pass();
    expect(map().hidden).toBe(false);
    view.pointer("pointerleave", stage(), 0, 0);
    pass();
    expect(view.page.find(".cw-tip").hidden).toBe(true);
  });

  it("is walked through by keys", async () => {
    await open();
    view.pointer("pointermove", stage(), ...at(0.5, 0.5));
    view.key("ArrowRight", stage());
    view.key("Enter", stage());
    expect(view.model.get("neuron")).toEqual([0, 1]);
    view.key("ArrowLeft", stage());
    view.key("ArrowUp", stage());
    view.key(" ", stage());
    expect(view.model.get("neurons")).toEqual([
      [0, 1],
      [0, 2],
    ]);
    expect(view.model.get("time")).toBe(2); // the arrows are not those of time
  });

  it("has short keys for large selections, different for different ones", () => {
    const many = Array.from({ length: 3000 }, (_, i) => neuronAt(SHAPE, i));
    const base = { layer: LAYER, neuron: null, cluster: -1, n_clusters: 6 };
    const key = selectionKey({ ...base, neurons: many });
    expect(key.length).toBeLessThan(60);
    expect(key).not.toBe(selectionKey({ ...base, neurons: many.slice(1) }));
  });
});

describe("points", () => {
  const canvas = () => view.page.find("[data-testid=scatter]");

  it("are as large as what neurons are sorted by says, which is asked for only where they are shown", async () => {
    view.open({ sort: "total" });
    await view.settle();
    expect(view.model.requests("values")).toEqual([]);
    await open();
    expect(canvas().dataset.sized).toBeUndefined();
    await view.settle();
    expect(view.model.last("values").body).toMatchObject({
      sort: "total",
      layer: LAYER,
      time: 2,
      pixel: null,
    });
    pass();
    expect(canvas().dataset.sized).toBe("total");
    const box = {
      points: [
        [0, 0],
        [0, 4],
        [4, 4],
      ],
      runs: [],
    };
    view.model.set("region", box);
    view.model.set("sort", "region");
    pass();
    const asked = view.model.last("values");
    expect(asked.body).toMatchObject({ sort: "region", region: box });
    expect(canvas().dataset.sized).toBe("total"); // as they are named, until the answer
    await view.model.reply(asked, { sort: "region", pixel: null }, new Uint8Array(36 * 96 * 4));
    pass();
    expect(canvas().dataset.sized).toBeUndefined(); // nothing contributes: all are alike
    view.model.set("sort", "frequency");
    pass();
    const frequencies = new Float32Array(36 * 96).fill(Number.NaN);
    frequencies[0] = 0.25;
    await view.model.reply(
      view.model.last("values"),
      { sort: "frequency", pixel: null },
      new Uint8Array(frequencies.buffer),
    );
    pass();
    expect(canvas().dataset.sized).toBe("frequency"); // those without one are the smallest points
    view.model.set("sort", "index");
    pass();
    expect(view.page.find("[data-testid=sort]").getAttribute("aria-label")).toBe("Size points by");
    expect(canvas().dataset.sized).toBeUndefined();
  });

  it("of a cluster have its number in their middle, that of the chosen one alone", async () => {
    await open();
    expect(canvas().dataset.numbers).toBeUndefined();
    view.page.find("[data-testid=cluster-neurons]").click();
    await view.settle();
    pass();
    const all = canvas().dataset.numbers?.split(" ") ?? [];
    expect(all.length).toBeGreaterThan(1);
    expect(all).toEqual([...all].sort());
    view.model.set("cluster", 1);
    pass();
    expect(canvas().dataset.numbers).toBe("1");
  });

  it("have the middle of a cluster where most are", () => {
    const points = Float32Array.from([0.1, 0.2, 0.2, 0.3, 0.9, 0.25, 0.5, 0.5, Number.NaN, Number.NaN]);
    const found = middles(points, Uint8Array.from([0, 0, 0, 7, 7]));
    const rounded = [...found].map(([label, at]) => [label, at.map((value) => Math.round(10 * value))]);
    expect(rounded).toEqual([
      [0, [2, 3]],
      [7, [5, 5]],
    ]);
  });

  it("of what the pixel view lists have a ring", async () => {
    await open();
    await view.settle();
    view.model.set("pixel", [3, 4]);
    await view.settle();
    pass();
    const bars = [
      ...view.page.el.querySelectorAll<HTMLElement>(`.cw-bar:not([hidden])[data-layer="${LAYER}"]`),
    ];
    expect(bars.length).toBeGreaterThan(0);
    expect(canvas().dataset.ringed?.split(" ")).toEqual(bars.map(({ dataset }) => dataset.neuron));
  });
});

describe("exemplars", () => {
  it("are selected together", async () => {
    view.open();
    await view.settle();
    view.page.find("[data-testid=cluster-neurons]").click();
    await view.settle();
    view.page.find("[data-testid=exemplars]").click();
    pass();
    expect(view.model.get("neurons")).toHaveLength(6);
  });
});

describe("while time runs", () => {
  const label = () => view.page.find(".cw-panel-neurons .cw-label").textContent;
  const settle = async () => {
    pass(700);
    await view.settle();
    pass(700);
    await view.settle();
  };

  it("the scatter follows, and keeps the old points under their own frame until the new ones come", async () => {
    await open();
    expect(label()).toContain("frame 2");
    view.model.set("time", 4);
    pass(700);
    const asked = view.model.last("scatter");
    expect(asked.body).toMatchObject({ time: 4, method: "pca" });
    expect(label()).toContain("frame 2");
    expect(view.page.find(".cw-panel-neurons").dataset.state).toBe("loading");
    await view.model.reply(asked, {}, points());
    pass();
    expect(label()).toContain("frame 4");
    expect(view.page.find(".cw-panel-neurons").dataset.state).toBe("ready");
  });

  it("so does the order by change; only the last frame of a scrub is asked for", async () => {
    view.open({ sort: "change" });
    await settle();
    expect(label()).toContain("frame 2");
    const before = view.model.requests("grid").length;
    for (const time of [3, 4, 5, 6]) {
      view.model.set("time", time);
      pass(16);
    }
    pass(700);
    expect(label()).toContain("frame 2");
    expect(view.page.find(".cw-panel-neurons").dataset.state).toBe("loading");
    await settle();
    expect(label()).toContain("frame 6");
    const asked = view.model.requests("grid").slice(before);
    expect(new Set(asked.map(({ body }) => (body as { time: number }).time))).toEqual(new Set([3, 6]));
  });

  it("points are mirrored to lie where they were", () => {
    const before = Float32Array.from([0.1, 0.2, 0.9, 0.7, Number.NaN, Number.NaN]);
    const after = Float32Array.from([0.88, 0.21, 0.12, 0.69, 0.5, 0.5]);
    turnTowards(after, before);
    expect([...after].map((value) => Math.round(value * 100) / 100)).toEqual([
      0.12, 0.21, 0.88, 0.69, 0.5, 0.5,
    ]);
  });
});
