import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseLayer, chooseNeuron, pin, stepTime } from "../src/state/actions";
import { createHistory, type History } from "../src/state/history";
import { createStore, type Store } from "../src/state/store";
import { HEAD, LAYER, ManualModel, NEURON, state } from "./page";
import { useView } from "./view";

describe("the history of choices", () => {
  let model: ManualModel;
  let store: Store;
  let history: History;
  let time = 0;
  /** After a pause, as between two clicks. */
  const later = (act: () => void) => {
    time += 1000;
    act();
  };

  beforeEach(() => {
    model = new ManualModel(state());
    store = createStore(model);
    history = createHistory(store, () => time);
  });
  afterEach(() => {
    history.dispose();
    store.dispose();
  });

  it("goes back one choice at a time, and forward again", () => {
    expect([history.canUndo.value, history.canRedo.value]).toEqual([false, false]);
    later(() => chooseNeuron(store, [0, 3]));
    later(() => pin(store, [2, 5]));
    later(() => chooseLayer(store, HEAD));
    const last = [store.layer.value, store.neuron.value, store.pixel.value];
    history.undo();
    expect([store.layer.value, store.neuron.value, store.pixel.value]).toEqual([LAYER, [0, 3], [2, 5]]);
    history.undo();
    history.undo();
    expect([store.layer.value, store.neuron.value, store.pixel.value]).toEqual([LAYER, NEURON, null]);
    expect([history.canUndo.value, history.canRedo.value]).toEqual([false, true]);
    history.undo(); // of nothing
    for (let i = 0; i < 3; i++) history.redo();
    expect([store.layer.value, store.neuron.value, store.pixel.value]).toEqual(last);
    expect(history.canRedo.value).toBe(false);
    expect(model.get("layer")).toBe(HEAD);
  });

  it("forgets what was undone at the next choice", () => {
    later(() => chooseNeuron(store, [0, 3]));
    history.undo();
    later(() => chooseNeuron(store, [0, 4]));
    expect(history.canRedo.value).toBe(false);
    history.undo();
    expect(store.neuron.value).toEqual(NEURON);
  });

  it("takes a drag for one choice, and a choice after an undo for another", () => {
    for (const unit of [1, 2, 3]) {
      time += 50;
      chooseNeuron(store, [0, unit]);
    }
    history.undo();
    expect(store.neuron.value).toEqual(NEURON);
    chooseNeuron(store, [0, 5]);
    history.undo();
    expect(store.neuron.value).toEqual(NEURON);
  });

  it("contains what Python chose, and not the frame", () => {
    later(() => model.set("neuron", [0, 6]));
    later(() => stepTime(store, 1));
    const shown = store.time.value;
    history.undo();
    expect([store.neuron.value, store.time.value]).toEqual([NEURON, shown]);
  });
});

describe("undo in the widget", () => {
  const view = useView();

  it("has keys and buttons", async () => {
    view.open();
    await view.settle();
    const [undo, redo] = ["undo", "redo"].map((name) => view.page.find(`[data-testid=${name}]`));
    expect(undo?.getAttribute("aria-disabled")).toBe("true");
    view.key("]");
    const left = view.model.get("layer");
    expect(left).not.toBe(LAYER);
    expect(undo?.hasAttribute("aria-disabled")).toBe(false);
    expect(view.key("z", undefined, { ctrlKey: true }).defaultPrevented).toBe(true);
    expect(view.model.get("layer")).toBe(LAYER);
    redo?.click();
    expect(view.model.get("layer")).toBe(left);
    undo?.click();
    view.key("Z", undefined, { metaKey: true, shiftKey: true });
    expect(view.model.get("layer")).toBe(left);
  });

  it("leaves the keys of a text field alone", async () => {
    view.open();
    await view.settle();
    view.key("]");
    const left = view.model.get("layer");
    const search = view.page.find(".cw-search");
    expect(view.key("z", search, { ctrlKey: true }).defaultPrevented).toBe(false);
    expect(view.model.get("layer")).toBe(left);
  });
});
