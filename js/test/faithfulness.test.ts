import { describe, expect, it } from "vitest";
import { wordOf } from "../src/sources/faithfulness";
import type { FaithfulnessReply, Range } from "../src/transport/messages";
import { correlation, showFaithfulness } from "../src/views/faithfulness_view";
import { BAKED } from "./baked";
import { BIG, LAYER, NEXT } from "./page";
import { pass, useView } from "./view";

const view = useView();
const part = (name: string) => view.page.find(`[data-testid=${name}]`);
const line = () => part("faithfulness").querySelector("summary")?.textContent;
const asked = () => view.model.requests("faithfulness").length;
const REST = 700;
const NO_DATA = new Uint8Array();

function scoreOf(layer: string): FaithfulnessReply {
  const found = BAKED.faithfulness.find((score) => score.layer === layer);
  if (!found) throw new Error(`the fixture has no score of ${layer}`);
  return found;
}

function interval(range: Range | null): string {
  const { value, low, high } = range ?? { value: Number.NaN, low: Number.NaN, high: Number.NaN };
  return `${value.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
}

async function open(changes: Record<string, unknown> = {}) {
  view.open(changes);
  await view.settle();
  pass(REST);
}

describe("faithfulness", () => {
  it("is measured for what is shown, once it is shown for a while, and told with its interval and sample", async () => {
    view.open({ layer: BIG, neuron: [0, 0] });
    await view.settle();
    expect(asked()).toBe(0);
    expect(line()).toBe("faithfulness: measuring");
    pass(REST);
    expect(view.model.last("faithfulness").body).toEqual({
      kind: "faithfulness",
      run: null,
      rule: "xinc",
      time: 2,
      layer: BIG,
    });
    await view.settle();
    const { measured, totals, pixels } = scoreOf(BIG);
    const grade = wordOf(totals?.value ?? Number.NaN);
    expect(measured).toBeLessThan(36 * 24);
    expect(line()).toBe(
      `faithfulness ${grade} ${interval(totals)} · xinc · decoder.1 · ${measured} of ${36 * 24} kernels`,
    );
    expect(part("faithfulness").dataset.grade).toBe(grade);
    expect(part("faithfulness").textContent).toContain(`pixel by pixel, on average: ${interval(pixels)}`);
    expect(part("faithfulness").textContent).toContain("at frame 2");
    expect(part("faithfulness").textContent).toContain(
      "does not tell them apart in this layer; of what is lost, the magnitudes in each colour.",
    );
  });

  it("says how alike the selection's map is to what is lost without it, under the same frame and rule only", async () => {
    await open({ neuron: [0, 0] });
    expect(line()).toBe("faithfulness: measuring");
    const request = view.model.last("agreement");
    expect(request.body).toMatchObject({
      rule: "xinc",
      time: 2,
      selection: { layer: LAYER, neuron: [0, 0] },
    });
    await view.model.reply(request, { kind: "agreement", correlation: 0.973 }, NO_DATA);
    expect(line()).toBe("this map 0.97 · ranking: measuring");
    expect(part("faithfulness").textContent).toContain("neuron in 0 → out 0, frame 2");
    part("see-both").click(); // its map and what the image loses, under every rule
    expect(part("rules").hasAttribute("open")).toBe(true);
    expect((part("faithfulness") as HTMLDetailsElement).open).toBe(false);
    view.key("r", part("rules"));
    view.model.set("time", 3);
    pass();
    expect(line()).toBe("faithfulness: measuring");
    pass(REST);
    await view.model.reply(view.model.last("agreement"), { kind: "agreement", correlation: null }, NO_DATA);
    expect(line()).toContain("this map not defined");
    // The whole layer has no map that could be taken out, and ablation nothing to be compared with.
    const count = view.model.requests("agreement").length;
    view.model.set("neurons", []);
    view.model.set("neuron", null);
    pass(REST);
    expect(view.model.requests("agreement").length).toBe(count);
  });

  it.each([
    [
      {
        neurons: [
          [0, 0],
          [0, 1],
        ],
      },
      "2 neurons",
      "neurons added with their signs",
    ],
    [{ layer: "head_layer", neuron: [0, 0], channel: "red" }, "out 0", "colours added with their signs"],
    [{ neuron: [0, 0], overlay: "neurons" }, "out 0", ""],
  ])("does not call another map than the one over the frame this map: %j", async (state, name, added) => {
    await open(state);
    await view.model.reply(view.model.last("agreement"), { kind: "agreement", correlation: 0.5 }, NO_DATA);
    expect(line()).toMatch(/^selection 0\.50 · /);
    const told = part("faithfulness").textContent ?? "";
    expect(told).toContain(name);
    expect(told).toContain(`its map${added && `, ${added},`} with what`);
  });

  it("offers the rule that agrees with ablation where another one does not", async () => {
    await open();
    const request = view.model.last("faithfulness");
    await view.model.reply(request, { ...scoreOf(LAYER), totals: { value: 0.2, low: 0.1, high: 0.3 } });
    expect(line()).toContain(" → try gated · xinc");
    expect(part("use-gated").hidden).toBe(false);
    part("use-gated").click();
    pass();
    expect(view.model.get("rule")).toBe("gated");
    view.model.useRule("gated");
    pass(REST);
    await view.model.reply(view.model.last("faithfulness"), {
      ...scoreOf(LAYER),
      rule: "gated",
      totals: { value: 0.2, low: 0.1, high: 0.3 },
    });
    expect(line()).not.toContain("try gated");
    expect(part("use-gated").hidden).toBe(true);
  });

  it("is of the layer and the rule: time changes nothing, and what is known is not asked for again", async () => {
    await open();
    await view.settle();
    view.model.set("time", 5);
    pass(REST);
    await view.settle();
    expect(asked()).toBe(1);
    view.key("]");
    expect(line()).toBe("faithfulness: measuring");
    pass(REST);
    await view.settle();
    expect(line()).toContain("decoder.3");
    view.key("[");
    expect(line()).toContain("decoder.2");
    expect(asked()).toBe(2);
    view.model.useRule("gated");
    pass(REST);
    expect(asked()).toBe(3);
    await view.model.reply(view.model.last("faithfulness"), {
      rule: "gated",
      measured: 64,
      totals: { value: 0.02, low: -0.1, high: 0.14 },
    });
    pass();
    expect(line()).toBe("faithfulness none 0.02 [−0.10, 0.14] · gated · decoder.2 · 64 of 96 kernels");
  });

  it("is not what the widget is busy with", async () => {
    await open();
    expect(part("status").textContent).not.toContain("faithfulness");
    view.model.say({ type: "progress", id: view.model.last("faithfulness").id, done: 24, total: 64 });
    pass(1000);
    expect(part("status").textContent).not.toContain("faithfulness");
    expect(part("faithfulness").textContent).toContain("12 neurons so far");
    await view.settle();
    expect(part("facts").textContent).not.toContain("faithfulness");
  });

  it("waits while the clip plays", async () => {
    await open({ playing: true });
    expect(asked()).toBe(0);
    expect(line()).toBe("faithfulness: paused");
    view.key(" ");
    pass(REST);
    expect(asked()).toBe(1);
    view.key(" ");
    expect(view.model.cancels()).toContain(view.model.last("faithfulness").id);
  });

  it("is the ground truth under ablation, and nothing is asked", async () => {
    await open({ rule: "ablation" });
    expect(asked()).toBe(0);
    expect(line()).toBe("faithfulness: ground truth · ablation · decoder.2");
  });

  it("can be done without", async () => {
    await open();
    part("faithfulness-switch").click();
    await view.settle();
    expect(view.model.get("faithfulness")).toBe(false);
    expect(line()).toBe("faithfulness: off");
    expect(view.model.cancels()).toContain(view.model.last("faithfulness").id);
    view.key("]");
    pass(REST);
    expect(asked()).toBe(1);
    part("faithfulness-switch").click();
    pass(REST);
    await view.settle();
    expect(line()).toContain(`faithfulness ${wordOf(scoreOf(NEXT).totals?.value ?? Number.NaN)}`);
  });

  it("says why where there is no score", async () => {
    await open();
    const { id } = view.model.last("faithfulness");
    view.model.say({ type: "error", id, message: "layer='stem': the image does not depend on it" });
    pass();
    expect(line()).toBe("faithfulness: not measured");
    expect(part("faithfulness").textContent).toContain("does not depend on it");
    expect(part("status").textContent).not.toContain("faithfulness");
  });

  it("has a word for every number, and says what it is of", () => {
    expect([1, 0.9, 0.89, 0.6, 0.3, 0.29, 0, -1].map(wordOf)).toEqual([
      "high",
      "high",
      "fair",
      "fair",
      "low",
      "none",
      "none",
      "none",
    ]);
    expect([-0.001, -0.016, 0.996].map(correlation)).toEqual(["0.00", "−0.02", "1.00"]);
    const score = {
      kind: "faithfulness",
      rule: "xinc",
      layer: "net.0",
      frame: 0,
      measured: 10,
      n_neurons: 10,
    } as const;
    const whole = { value: 0.5, low: 0.5, high: 0.5 };
    expect(
      showFaithfulness({ ...score, totals: whole, pixels: null }, "net.0", false, "the magnitudes"),
    ).toMatchObject({
      short: "faithfulness low 0.50",
      rest: " · xinc · net.0 · all 10 neurons",
      grade: "low",
    });
    expect(
      showFaithfulness({ ...score, totals: null, pixels: null }, "net.0", false, "the magnitudes").short,
    ).toBe("faithfulness: not defined");
  });
});
