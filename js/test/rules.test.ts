import { describe, expect, it } from "vitest";
import type { RulesReply } from "../src/transport/messages";
import { correlation } from "../src/views/faithfulness_view";
import { sharedTop } from "../src/views/rules_view";
import { answerTo, CANVAS } from "./fixture";
import { LAYER, NEURON, painted } from "./page";
import { useView } from "./view";

const view = useView();
const part = (name: string) => view.page.find(`[data-testid=${name}]`);
const canvas = (name: string) => part(name) as HTMLCanvasElement;
const pixels = (name: string) => painted.get(canvas(name)) ?? [];

async function open(changes: Record<string, unknown> = {}) {
  view.open(changes);
  await view.settle();
  view.key("r");
}

/** Of the levels of two maps, which is that of the maps. */
function pearson(a: Uint8Array = new Uint8Array(), b: Uint8Array = new Uint8Array()): number {
  const mean = (levels: Uint8Array) => levels.reduce((sum, level) => sum + level, 0) / levels.length;
  const [meanOfA, meanOfB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [(a[i] ?? 0) - meanOfA, (b[i] ?? 0) - meanOfB];
    [ab, aa, bb] = [ab + x * y, aa + x * x, bb + y * y];
  }
  return ab / Math.sqrt(aa * bb);
}

describe("rules side by side", () => {
  it("are chosen where they are compared", async () => {
    await open();
    await view.settle();
    expect((part("choose-xinc") as HTMLButtonElement).disabled).toBe(true); // it is the rule of the view
    part("choose-gated").click();
    expect(part("rules").hasAttribute("open")).toBe(false);
    expect(view.model.get("rule")).toBe("gated");
  });

  it("are asked for when they are opened, and shown with what is told of them", async () => {
    view.open({ channel: "red" });
    await view.settle();
    expect(view.model.requests("rules")).toEqual([]);
    expect(part("rules").hasAttribute("open")).toBe(false);
    part("rules-button").click();
    expect(part("rules").hasAttribute("open")).toBe(true);
    expect(part("rules-status").textContent).toBe("computing the maps");
    expect(view.model.last("rules").body).toEqual({
      kind: "rules",
      run: null,
      rule: "xinc",
      time: 2,
      selection: { layer: LAYER, neuron: NEURON, neurons: [], cluster: -1, n_clusters: 6 },
    });
    await view.settle();
    expect(part("rules-status").textContent).toBe("");
    expect(part("rules").textContent).toContain("decoder.2 · neuron in 1 → out 11 · frame 2");
    for (const rule of ["xinc", "gated", "ablation"])
      expect(pixels(`rule-${rule}`)).toHaveLength(CANVAS.height * CANVAS.width * 4);
    for (const rule of ["xinc", "gated"]) expect(pixels(`difference-${rule}`)).not.toHaveLength(0);
    const { data } = await answerTo(view.model.last("rules").body);
    const size = CANVAS.height * CANVAS.width;
    // The map of each rule, and after all but the last its difference to that of ablation.
    const [xinc, gated, ablation] = [0, 2, 4].map((at) => data.subarray(at * size, (at + 1) * size));
    const text = (rule?: Uint8Array) => `correlation with ablation ${correlation(pearson(rule, ablation))}`;
    expect(part("rules").textContent).toContain(text(xinc));
    expect(canvas("rule-gated").getAttribute("aria-label")).toContain(text(gated));
  });

  it("have the same limits, so that equal colours are equal values", async () => {
    await open();
    const request = view.model.last("rules");
    const { answer, data } = await answerTo(request.body);
    const maps = (answer as RulesReply).maps.map((told, i) => ({
      ...told,
      map: { low: 0, high: [4, 2, 1][i] ?? 0 },
      difference: told.difference && { low: -1, high: 0 },
    }));
    await view.model.reply(request, { maps }, data.fill(255));
    await view.settle();
    expect(sharedTop([])).toBe(0);
    expect(part("rules-limits").textContent).toBe("−4.004.00");
    const first = (name: string) => [...pixels(name).slice(0, 3)];
    expect(first("rule-xinc")).toEqual([103, 0, 31]);
    expect(
      new Set(["rule-xinc", "rule-gated", "rule-ablation"].map((name) => String(first(name)))).size,
    ).toBe(3);
  });

  it("say why where a rule is not defined", async () => {
    await open();
    const request = view.model.last("rules");
    const { answer, data } = await answerTo(request.body);
    const size = CANVAS.height * CANVAS.width;
    const why = "layer='stem': a linear layer on a grid of 1x1";
    const maps = (answer as RulesReply).maps.map((told) =>
      told.rule === "xinc" ? { ...told, why, map: null, difference: null, correlation: null } : told,
    );
    await view.model.reply(request, { maps }, data.slice(2 * size));
    await view.settle();
    const column = view.page.find('[data-rule="xinc"]');
    expect(column.textContent).toContain(`Not defined here: ${why}`);
    expect(canvas("rule-gated").dataset.total).toBeDefined();
    expect(canvas("rule-xinc").dataset.total).toBeUndefined();
  });

  it("follow time, keep all other keys, and give the focus back", async () => {
    view.open();
    await view.settle();
    part("rules-button").focus();
    view.key("r");
    await view.settle();
    const dialog = part("rules");
    expect(dialog.contains(document.activeElement)).toBe(true);
    view.key("ArrowRight");
    await view.settle();
    expect(dialog.dataset.time).toBe("3");
    view.key("k");
    view.key("]");
    view.key("Tab", document.activeElement as HTMLElement);
    expect([view.model.get("ablated"), view.model.get("layer")]).toEqual([{}, LAYER]);
    expect(dialog.contains(document.activeElement)).toBe(true);
    view.key("Escape");
    expect(dialog.hasAttribute("open")).toBe(false);
    expect(document.activeElement).toBe(part("rules-button"));
    expect(view.model.get("neuron")).toEqual(NEURON);
    const asked = view.model.requests("rules").length;
    view.key("ArrowRight");
    await view.settle();
    expect(view.model.requests("rules")).toHaveLength(asked);
    view.key("r");
    view.key("r");
    expect(dialog.hasAttribute("open")).toBe(false);
  });

  it("tell an error, and ask again on demand", async () => {
    await open();
    view.model.say({ type: "error", id: view.model.last("rules").id, message: "out of memory" });
    await view.settle();
    expect(part("rules-status").textContent).toBe("out of memory");
    const asked = view.model.requests("rules").length;
    part("rules-again").click();
    expect(view.model.requests("rules")).toHaveLength(asked + 1);
    await view.settle();
    expect(part("rules-status").textContent).toBe("");
  });
});
