import { effect } from "@preact/signals-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { chooseClusterCount, chooseLayer, nudgePixel, stepTime } from "../src/state/actions";
import { createStore, SAVE_AFTER, type Store } from "../src/state/store";
import { same } from "../src/transport/same";
import { layerInfo } from "./layer_info";
import { HEAD, LAYER, ManualModel, NEURON, state } from "./page";

describe("store", () => {
  let model: ManualModel;
  let store: Store;

  beforeEach(() => {
    vi.useFakeTimers();
    model = new ManualModel(state());
    store = createStore(model);
  });
  afterEach(() => {
    store.dispose();
    vi.useRealTimers();
  });

  it("follows Python", () => {
    model.set("time", 5);
    expect(store.time.value).toBe(5);
    model.set("neuron", null);
    expect(store.neuron.value).toBeNull();
  });

  it("shows several traits that Python changes in one message together", () => {
    const seen: string[] = [];
    const stop = effect(() => void seen.push(`${store.layer.value} ${store.neuron.value}`));
    // As Backbone does: all attributes first, then the events.
    const get = model.get.bind(model);
    const next: Record<string, unknown> = { layer: HEAD, neuron: [1, 2] };
    vi.spyOn(model, "get").mockImplementation((name) => next[name] ?? get(name));
    model.emit("change:layer");
    model.emit("change:neuron");
    expect(seen).toEqual([`${LAYER} ${NEURON}`, `${HEAD} 1,2`]);
    stop();
  });

  it("sends what the page changes", () => {
    store.set({ time: 4, pixel: [1, 2] });
    expect(store.time.value).toBe(4);
    expect(model.saves).toEqual([]);
    vi.advanceTimersByTime(SAVE_AFTER);
    expect(model.saves).toEqual([{ time: 4, pixel: [1, 2] }]);
  });

  it("does nothing when nothing changes", () => {
    store.set({ time: 2, neuron: NEURON });
    expect(model.saves).toEqual([]);
  });

  it("says nothing of restyling before its gesture ends", () => {
    for (const opacity of [0.5, 0.4, 0.3]) store.set({ opacity }, true);
    expect(store.opacity.value).toBe(0.3);
    vi.advanceTimersByTime(10 * SAVE_AFTER);
    expect(model.saves).toEqual([]);
    store.set({ opacity: 0.3 });
    vi.advanceTimersByTime(SAVE_AFTER);
    expect(model.saves).toEqual([{ opacity: 0.3 }]);
  });

  it("lets go of what is held when that is asked for, or Python sets it", () => {
    store.set({ time: 6 }, true);
    model.set("opacity", 0.7);
    expect([store.time.value, store.opacity.value]).toEqual([6, 0.7]);
    store.release();
    vi.advanceTimersByTime(SAVE_AFTER);
    expect(model.saves).toMatchObject([{ time: 6 }]);
    store.set({ time: 7 }, true);
    store.release();
    model.set("time", 1);
    vi.advanceTimersByTime(SAVE_AFTER);
    expect(store.time.value).toBe(1);
    expect(model.saves.some((saved) => saved.time === 7)).toBe(false);
    store.set({ time: 5 }, true);
    store.save();
    expect(model.saves.at(-1)).toEqual({ time: 5 });
  });

  it("saves a drag few times, its end among them", () => {
    for (let time = 0; time < 8; time++) {
      store.set({ time: 7 - time });
      expect(store.time.value).toBe(7 - time);
      vi.advanceTimersByTime(10);
    }
    vi.advanceTimersByTime(SAVE_AFTER);
    expect(model.saves.length).toBeLessThanOrEqual(2);
    expect(model.saves.at(-1)).toEqual({ time: 0 });
  });

  it("notices a model that can't be saved", () => {
    vi.spyOn(model, "save_changes").mockImplementation(() => {
      throw new Error("Comm is closed");
    });
    store.set({ time: 1 });
    vi.advanceTimersByTime(SAVE_AFTER);
    expect(store.unsaved.value).toBe(true);
  });

  it("stops following when disposed", () => {
    store.dispose();
    model.set("time", 7);
    expect(store.time.value).toBe(2);
  });

  it("drops the neuron of the old layer in the save that changes the layer", () => {
    chooseLayer(store, HEAD);
    vi.advanceTimersByTime(SAVE_AFTER);
    expect(model.saves).toEqual([{ layer: HEAD, neuron: null, neurons: [] }]);
  });

  it("keeps units selected that the new layer has, by their index", () => {
    const layers = [
      layerInfo("net.0", [8], []),
      layerInfo("net.1", [4], []),
      layerInfo("conv", [8, 8], [2, 2]),
    ];
    const base = state();
    model = new ManualModel({
      ...base,
      _canvas: { ...(base._canvas as object), layers },
      layer: "net.0",
      neuron: [3],
      neurons: [[6], [3]],
    });
    store.dispose();
    store = createStore(model);
    chooseLayer(store, "net.1");
    expect([store.neurons.value, store.neuron.value]).toEqual([[[3]], [3]]);
    chooseLayer(store, "conv");
    expect([store.neurons.value, store.neuron.value]).toEqual([[], null]);
  });

  it("keeps frames and pixels inside the canvas", () => {
    stepTime(store, -5);
    expect(store.time.value).toBe(0);
    stepTime(store, 99);
    expect(store.time.value).toBe(7);
    nudgePixel(store, 0, 1);
    expect(store.pixel.value).toEqual([8, 16]);
    for (let i = 0; i < 30; i++) nudgePixel(store, -1, 1);
    expect(store.pixel.value).toEqual([0, 31]);
  });

  it("leaves a cluster that no longer exists", () => {
    store.set({ cluster: 5 });
    chooseClusterCount(store, 4);
    expect([store.n_clusters.value, store.cluster.value]).toEqual([4, -1]);
    chooseClusterCount(store, 99);
    expect(store.n_clusters.value).toBe(4);
  });
});

describe("same", () => {
  it.each([
    [
      { a: 1, b: { c: [1, 2], d: null } },
      { b: { d: null, c: [1, 2] }, a: 1 },
    ],
    [{ a: 1, b: undefined }, { a: 1 }],
    [Number.NaN, Number.NaN],
    [[], []],
  ])("holds for %j and %j", (a, b) => expect(same(a, b)).toBe(true));

  it.each([
    [{ a: 1 }, { a: 1, b: 2 }],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], { 0: 1 }],
    [null, {}],
    [{ a: [1, [2]] }, { a: [1, [3]] }],
  ])("does not hold for %j and %j", (a, b) => expect(same(a, b)).toBe(false));
});
