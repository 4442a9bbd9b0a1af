// The runs of a saved page: each has its own arrays, and the view follows the one that is chosen.
import { describe, expect, it, vi } from "vitest";
import { BakedRuns, followRuns, infoOf } from "../src/page/baked_runs";
import { PageModel } from "../src/page/model";
import type { Baked, SavedPage } from "../src/page/saved_page";
import { Arrays } from "../src/page/unpacking";
import { chooseRun, compareWith, stepRun } from "../src/state/actions";
import { canvasOf, createStore, isSwitching, SAVE_AFTER } from "../src/state/store";
import type { Body, CanvasInfo, LayerInfo, RunKey } from "../src/transport/messages";
import { layerInfo } from "./layer_info";

const SIZE = { height: 1, width: 2 };
const FFN = [
  layerInfo("net.0", [4], [1, 2]),
  layerInfo("net.1", [4], [1, 2]),
  layerInfo("net.2", [3], [1, 2]),
];
const SIREN = [layerInfo("net.1", [2], [1, 2]), layerInfo("head", [3], [1, 2])];

async function deflate(bytes: number[]): Promise<string> {
  const stream = new Blob([Uint8Array.from(bytes)]).stream();
  const packed = await new Response(stream.pipeThrough(new CompressionStream("deflate-raw"))).arrayBuffer();
  return btoa(String.fromCharCode(...new Uint8Array(packed)));
}

/** The arrays that all runs share: palettes, then of the one ranked neuron its layer, its place and its value. */
const [PALETTES, LAYER, PLACE, VALUE, SHARED] = [0, 1, 2, 3, 4];

/** A run with a picture, and a map for each kept neuron; `place` is that of the run. */
function baked(run: RunKey, place: number, layers: LayerInfo[], more: Partial<CanvasInfo> = {}): Baked {
  const neurons = Object.fromEntries(layers.map(({ name }) => [name, [[1], [0]]]));
  const info = {
    title: "a network",
    run,
    notice: "",
    counterparts: {},
    rule: "gated",
    ...SIZE,
    n_frames: 1,
    n_channels: 3,
    layers,
    embeddings: [],
    rules: [],
    why: "",
    ranked_by: "gated",
    has_truth: true,
    quantisation: { why_not: "no weights", left_out: {} },
    device: "saved page",
    saved: { frames: [0], neurons },
    ...more,
  };
  const selections = layers.flatMap(({ name }) =>
    [[1], [0]].map((neuron) => ({
      layer: name,
      neuron,
      cluster: -1,
      low: [[0]],
      high: [[2 * place + 1]],
      totals: [20 * place],
      changes: [null],
      planes: [SHARED + 2 * place + 1],
    })),
  );
  return {
    info,
    faithfulness: [],
    pictures: { reconstruction: SHARED + 2 * place },
    psnr: [20 + 2 * place],
    selections,
    clusters: [],
    ranked: {
      pixels: [[0, 0]],
      points: [],
      layers: LAYER,
      places: PLACE,
      values: VALUE,
      sizes: VALUE,
      totals: VALUE,
      counts: PLACE,
      shares: LAYER,
    },
  };
}

async function open(all: Baked[], group: number | null, state: Record<string, unknown> = {}) {
  const known = all.map(({ info }) => ({
    key: info.run,
    group,
    error: "",
    facts: {},
    version: 0,
    same_neurons: group !== null,
  }));
  const page: SavedPage = {
    state: {
      run: all[0]?.info.run ?? null,
      compare: null,
      _runs: known,
      rule: "gated",
      layer: "net.1",
      time: 0,
      neuron: [1],
      neurons: [[1]],
      source: "reconstruction",
      cluster_names: { "net.1/6": ["sky"] },
      ...state,
    },
    needs: new Proxy({} as SavedPage["needs"], { get: (_, name) => `needs the notebook: ${String(name)}` }),
    recipe: "import canvaswidget as cw",
    palettes: { answer: { kind: "palettes", names: ["gray"] } as never, data: PALETTES },
    baked: all,
    arrays: [
      { form: "u1", shape: [3], levels: 256 },
      { form: "u1", shape: [1, 1, 1], levels: 256 },
      { form: "u4", shape: [1, 1, 1], levels: 256 },
      { form: "f4", shape: [1, 1, 1], levels: 256 },
      ...all.flatMap(() => [
        { form: "colours" as const, shape: [1, 3, 1, 2], levels: 256 },
        { form: "maps" as const, shape: [1, 1, 2], levels: 256 },
      ]),
    ],
  };
  const texts = await Promise.all([
    ...[[1, 2, 3], [1], [3, 0, 0, 0], [0, 0, 0, 63]].map(deflate),
    ...all.flatMap((_, place) => [deflate([0, 0, 7 * (place + 1), 0, 0, 0]), deflate([0, 255])]),
  ]);
  const answers = new BakedRuns(page, new Arrays(page.arrays, (index) => texts[index] ?? ""));
  const _canvas = infoOf(page, page.state.run);
  const model = new PageModel({ ...page.state, _canvas }, (body) => answers.answer(body));
  followRuns(model, page);
  return { page, answers, model, store: createStore(model) };
}

const training = () => open([baked(0, 0, FFN), baked(10, 1, FFN), baked(200, 2, FFN)], 0);
const mixed = (state = {}) =>
  open([baked("FFN", 0, FFN), baked("SIREN", 1, SIREN, { has_truth: false })], null, state);

const selection = { layer: "net.1", neuron: [1], neurons: [], cluster: -1, n_clusters: 6 };
const ofFrame = (run: RunKey): Body => ({ kind: "frame", run, time: 0, source: "reconstruction" });
const ofMap = (run: RunKey): Body => ({ kind: "map", run, rule: "gated", time: 0, selection }) as Body;

describe("the answers of a page of runs", () => {
  it("are those of the run that was asked about", async () => {
    const { answers } = await training();
    for (const [place, run] of [0, 10, 200].entries()) {
      const { answer, data } = await answers.answer(ofFrame(run));
      const level = 7 * (place + 1);
      expect([...data]).toEqual([level, level, level, level, level, level]);
      expect(answer).toMatchObject({ psnr: 20 + 2 * place });
      expect((await answers.answer(ofMap(run))).answer).toMatchObject({
        total: 20 * place,
        high: 2 * place + 1,
      });
    }
  });

  it("say that a run is not kept, and have one of what is not of a run", async () => {
    const { answers } = await training();
    await expect(answers.answer(ofFrame(7))).rejects.toThrow("needs the notebook: runs");
    await expect(answers.answer({ kind: "strip", run: null, frames: [], side: 4 })).rejects.toThrow("runs");
    expect([...(await answers.answer({ kind: "palettes" })).data]).toEqual([1, 2, 3]);
    const recipe = await answers.answer({ kind: "recipe", state: {} as never });
    expect(recipe.answer).toMatchObject({ text: "import canvaswidget as cw" });
  });
});

describe("what is asked about a second run", () => {
  const bars = (run: RunKey): Body => ({
    kind: "bars",
    run,
    rule: "gated",
    time: 0,
    pixel: [0, 1],
    channel: "sum",
    neurons: [3, 1, 2].map((neuron) => ({ layer: "net.1", neuron: [neuron] })),
  });

  it("is answered of the neurons that are kept, or among the strongest", async () => {
    const { answers } = await training();
    const { answer } = await answers.answer(bars(200));
    expect(answer).toMatchObject({ kind: "bars", values: [0.5, 5, undefined] });
    const thumbnails = { kind: "thumbnails", run: 10, rule: "gated", time: 0, layer: "net.1" } as const;
    const more = { channel: "sum", side: 8 } as const;
    const { answer: thumbs, data } = await answers.answer({ ...thumbnails, ...more, neurons: [[1], [0]] });
    expect(thumbs).toMatchObject({ height: 1, width: 2, low: [0, 0], high: [3, 3], totals: [20, 20] });
    expect([...data]).toEqual([0, 255, 0, 255]);
    await expect(answers.answer({ ...thumbnails, ...more, neurons: [[2]] })).rejects.toThrow("selection");
    const pairs = { kind: "pairs", run: 0, rule: "gated", time: 0, layer: "net.1", other: 10 } as const;
    await expect(answers.answer(pairs)).rejects.toThrow("needs the notebook: pairs");
  });

  it("has a curve over the runs, without totals of what is not kept", async () => {
    const { answers } = await training();
    const body = { kind: "run_curve", run: 0, rule: "gated", time: 0, runs: [200, 0] } as const;
    const kept = await answers.answer({ ...body, runs: [200, 0], selection } as Body);
    expect(kept.answer).toMatchObject({ totals: [40, 0], psnr: [24, 20], faithfulness: [null, null] });
    const other = await answers.answer({
      ...body,
      selection: { ...selection, neuron: [2] },
    } as unknown as Body);
    expect(other.answer).toMatchObject({ totals: [null, null], psnr: [24, 20] });
    expect((await answers.answer({ ...body, selection: null } as unknown as Body)).answer).toMatchObject({
      totals: [null, null],
    });
  });

  it("is told of the layers that stand for those of the first", async () => {
    const { store } = await mixed();
    expect(store._compared.value).toEqual({});
    compareWith(store, "SIREN");
    expect(store._compared.value).toMatchObject({
      run: "SIREN",
      counterparts: { "net.0": "net.1", "net.1": "net.1", "net.2": "head" },
    });
    chooseRun(store, "SIREN");
    expect(store._compared.value).toMatchObject({ counterparts: { "net.1": "net.1", head: "head" } });
    compareWith(store, null);
    expect(store._compared.value).toEqual({});
    store.dispose();
    const open = await mixed({ compare: "SIREN" });
    expect(open.store._compared.value.run).toBe("SIREN");
    open.store.dispose();
  });
});

describe("the view of a page of runs", () => {
  it("follows along one network, whose selection stays", async () => {
    const { store, model, page } = await training();
    vi.useFakeTimers();
    stepRun(store, 1);
    expect([store.run.value, isSwitching(store)]).toEqual([10, false]);
    stepRun(store, 1);
    stepRun(store, 1);
    vi.advanceTimersByTime(SAVE_AFTER);
    vi.useRealTimers();
    expect([model.get("run"), store.run.value, canvasOf(store)?.run]).toEqual([200, 200, 200]);
    expect([store.layer.value, store.neurons.value]).toEqual(["net.1", [[1]]]);
    expect(canvasOf(store)?.notice).toBe("");
    expect(store.cluster_names.value).toEqual({});
    model.set("run", 0);
    expect([store.run.value, store._canvas.value.run]).toEqual([0, 0]);
    expect(store.cluster_names.value).toEqual(page.state.cluster_names);
    store.dispose();
  });

  it("shows other layers at once, and says what a run has not got", async () => {
    const { store, model } = await mixed({ layer: "net.0", neuron: [3], neurons: [[3]], source: "error" });
    const seen: unknown[] = [];
    const stop = store.layer.subscribe(() => seen.push([store._canvas.peek().run, store.layer.peek()]));
    chooseRun(store, "SIREN");
    stop();
    expect(isSwitching(store)).toBe(false);
    expect([store.layer.value, store.neuron.value, store.source.value]).toEqual([
      "net.1",
      [1],
      "reconstruction",
    ]);
    // The layer of a run is never seen under another one.
    expect(seen).toEqual([
      ["FFN", "net.0"],
      ["SIREN", "net.1"],
    ]);
    expect(canvasOf(store)?.notice).toBe("layer net.0 is not in it: net.1 is shown; it has no truth");
    chooseRun(store, "FFN");
    expect([store.layer.value, canvasOf(store)?.notice]).toEqual(["net.1", ""]);
    model.set("run", "nix");
    expect(store._canvas.value.run).toBe("FFN");
    store.dispose();
  });

  it("selects the strongest neuron that is kept in place of one that is not", async () => {
    const { store } = await mixed({ neuron: [3], neurons: [[0], [3]] });
    chooseRun(store, "SIREN");
    expect([store.neurons.value, store.neuron.value]).toEqual([[[0]], [0]]);
    expect(canvasOf(store)?.notice).toBe("this page does not keep the selected neurons of it");
    store.dispose();
    const other = await mixed({ neuron: [3], neurons: [[3]] });
    chooseRun(other.store, "SIREN");
    expect(other.store.neurons.value).toEqual([[1]]);
    other.store.dispose();
  });
});
