import { describe, expect, it } from "vitest";
import type { RulesReply } from "../src/transport/messages";
import { sharedTop } from "../src/views/rules_view";
import { LAYER, OPTIONS, painted } from "./page";
import { makeAnswer } from "./stand_in_answers";
import { useView } from "./view";

const view = useView();
const part = (name: string) => view.page.find(`[data-testid=${name}]`);
const canvas = (name: string) => part(name) as HTMLCanvasElement;
const pixels = (name: string) => painted.get(canvas(name)) ?? [];

function open(changes: Record<string, unknown> = {}): void {
  view.open(changes);
  view.settle();
  view.key("r");
}

describe("rules side by side", () => {
  it("are asked for when they are opened, and shown with what is told of them", () => {
    view.open({ channel: "red" });
    view.settle();
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
      selection: { layer: LAYER, neuron: [3, 17], neurons: [], cluster: -1, n_clusters: 6 },
    });
    view.settle();
    expect(part("rules-status").textContent).toBe("");
    expect(part("rules").textContent).toContain("decoder.1 · neuron 3→17 · frame 2");
    for (const rule of ["xinc", "gated", "ablation"])
      expect(pixels(`rule-${rule}`)).toHaveLength(OPTIONS.height * OPTIONS.width * 4);
    for (const rule of ["xinc", "gated"]) expect(pixels(`difference-${rule}`)).not.toHaveLength(0);
    expect(part("rules").textContent).toContain("correlation with ablation 0.40");
    expect(canvas("rule-gated").getAttribute("aria-label")).toContain("correlation with ablation 0.90");
  });

  it("have the same limits, so that equal colours are equal values", () => {
    open();
    const request = view.model.last("rules");
    const { answer, data } = makeAnswer(request.body, OPTIONS);
    const maps = (answer as RulesReply).maps.map((told, i) => ({
      ...told,
      map: { low: 0, high: [4, 2, 1][i] ?? 0 },
      difference: told.difference && { low: -1, high: 0 },
    }));
    view.model.reply(request, { maps }, data.fill(255));
    view.settle();
    expect(sharedTop([])).toBe(0);
    expect(part("rules-limits").textContent).toBe("−4.004.00");
    const first = (name: string) => [...pixels(name).slice(0, 3)];
    expect(first("rule-xinc")).toEqual([103, 0, 31]);
    expect(
      new Set(["rule-xinc", "rule-gated", "rule-ablation"].map((name) => String(first(name)))).size,
    ).toBe(3);
  });

  it("say why where a rule is not defined", () => {
    open();
    const request = view.model.last("rules");
    const { answer, data } = makeAnswer(request.body, OPTIONS);
    const size = OPTIONS.height * OPTIONS.width;
    const why = "layer='stem': a linear layer on a grid of 1x1";
    const maps = (answer as RulesReply).maps.map((told) =>
      told.rule === "xinc" ? { ...told, why, map: null, difference: null, correlation: null } : told,
    );
    view.model.reply(request, { maps }, data.slice(2 * size));
    view.settle();
    const column = view.page.find('[data-rule="xinc"]');
    expect(column.textContent).toContain(`Not defined here: ${why}`);
    expect(canvas("rule-gated").dataset.total).toBeDefined();
    expect(canvas("rule-xinc").dataset.total).toBeUndefined();
  });

  it("follow time, keep all other keys, and give the focus back", () => {
    view.open();
    view.settle();
    part("rules-button").focus();
    view.key("r");
    view.settle();
    const dialog = part("rules");
    expect(dialog.contains(document.activeElement)).toBe(true);
    view.key("ArrowRight");
    view.settle();
    expect(dialog.dataset.time).toBe("3");
    view.key("k");
    view.key("]");
    view.key("Tab", document.activeElement as HTMLElement);
    expect([view.model.get("ablated"), view.model.get("layer")]).toEqual([{}, LAYER]);
    expect(dialog.contains(document.activeElement)).toBe(true);
    view.key("Escape");
    expect(dialog.hasAttribute("open")).toBe(false);
    expect(document.activeElement).toBe(part("rules-button"));
    expect(view.model.get("neuron")).toEqual([3, 17]);
    const asked = view.model.requests("rules").length;
    view.key("ArrowRight");
    view.settle();
    expect(view.model.requests("rules")).toHaveLength(asked);
    view.key("r");
    view.key("r");
    expect(dialog.hasAttribute("open")).toBe(false);
  });

  it("tell an error, and ask again on demand", () => {
    open();
    view.model.say({ type: "error", id: view.model.last("rules").id, message: "out of memory" });
    view.settle();
    expect(part("rules-status").textContent).toBe("out of memory");
    const asked = view.model.requests("rules").length;
    part("rules-again").click();
    expect(view.model.requests("rules")).toHaveLength(asked + 1);
    view.settle();
    expect(part("rules-status").textContent).toBe("");
  });
});
