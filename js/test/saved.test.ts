// A saved page offers what it can show, and no more; its frames keep their numbers.
import { describe, expect, it } from "vitest";
import { following } from "../src/sources/player";
import { areConsecutive, frameToward } from "../src/state/saved";
import { alone } from "../src/ui/line_chart";
import { CANVAS } from "./fixture";
import { LAYER, NEURON } from "./page";
import { pass, useView } from "./view";

const view = useView();
const FRAMES = [1, 3, 6];
const open = async (changes: Record<string, unknown> = {}) => {
  const saved = { frames: FRAMES, neurons: { [LAYER]: [NEURON] } };
  const _canvas = { ...CANVAS, rules: [], embeddings: [], saved };
  view.open({ _canvas, time: 3, pixel: [4, 6], ...changes });
  await view.settle();
};
const part = (name: string) => view.page.find(`[data-testid=${name}]`);
const isHidden = (element: HTMLElement) => element.closest("[hidden]") !== null;
const slide = (name: string, value: number) => {
  const slider = view.page.find<HTMLInputElement>(`[data-testid=${name}]`);
  slider.value = String(value);
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  pass();
  return slider.value;
};

describe("frames of a saved page", () => {
  it("are stepped through, by keys and by sliders, under their own numbers", async () => {
    await open();
    view.key("ArrowRight");
    expect(view.model.get("time")).toBe(6);
    view.key("ArrowRight");
    expect(view.model.get("time")).toBe(6);
    view.key("ArrowLeft");
    expect(view.model.get("time")).toBe(3);
    expect(part("time-label").textContent).toBe("3 (4 of 8)");
    // A step of the slider goes on to the next frame that is kept; beyond the last it stays.
    expect([slide("time", 4), slide("time", 7), slide("time", 5), slide("time", 0)]).toEqual([
      "6",
      "6",
      "3",
      "1",
    ]);
    expect(view.model.requests("frame").map(({ body }) => (body as { time: number }).time)).not.toContain(2);
    slide("loop-first", 2);
    expect(view.model.get("loop")).toEqual([3, 6]);
    slide("loop-last", 5); // 3 is the first one's
    expect(view.model.get("loop")).toEqual([3, 6]);
    slide("loop-first", 1);
    expect(view.model.get("loop")).toBeNull();
    slide("loop-last", 5);
    expect(view.model.get("loop")).toEqual([1, 3]);
  });

  it("play in turn", () => {
    expect([1, 3, 6].map((time) => following(time, 1, FRAMES, null))).toEqual([3, 6, 1]);
    expect(following(1, -1, FRAMES, null)).toBe(6);
    expect([3, 6, 1].map((time) => following(time, 1, FRAMES, [2, 7]))).toEqual([6, 3, 3]);
    expect([frameToward(FRAMES, 3, 3), frameToward(FRAMES, 6, 8), frameToward(FRAMES, 1, 2)]).toEqual([
      3, 6, 3,
    ]);
  });

  it("that are not kept are not asked for, and those that are alone are points", async () => {
    await open();
    const asked = view.model.requests("curve").flatMap(({ body }) => (body as { frames: number[] }).frames);
    expect(new Set(asked)).toEqual(new Set(FRAMES));
    expect(part("curve").dataset).toMatchObject({ done: "8", total: "8" });
    expect(alone([Number.NaN, 1, Number.NaN, 2, 3, Number.NaN, 4])).toEqual([1, 6]);
    expect([areConsecutive([2, 3, 4]), areConsecutive([2, 4]), areConsecutive([5])]).toEqual([
      true,
      false,
      false,
    ]);
    const orders = [...view.page.find<HTMLSelectElement>("[data-testid=sort]").options];
    for (const name of ["change", "frequency"])
      expect(orders.find(({ value }) => value === name)?.hidden, name).toBe(true);
  });
});

describe("the view of a saved page", () => {
  it("offers no ablation, no rules, no findings, no colours, no other clusters and no list of regions", async () => {
    await open({
      region: {
        points: [
          [0, 0],
          [0, 4],
          [4, 4],
          [4, 0],
        ],
        runs: [],
      },
    });
    for (const name of [
      "ablate",
      "rules-button",
      "overlay",
      "channel",
      "n-clusters",
      "keep-region",
      "faithfulness-switch",
    ])
      expect(isHidden(part(name)), name).toBe(true);
    for (const key of ["k", "K", "r"]) view.key(key);
    await view.settle();
    expect(view.model.get("ablated")).toEqual({});
    expect(view.model.get("source")).toBe("reconstruction");
    expect(part("rules").hasAttribute("open")).toBe(false);
    view.key("?");
    const keys = [...view.page.el.querySelectorAll<HTMLElement>(".cw-keys dt")].filter(
      ({ hidden }) => !hidden,
    );
    expect(keys.map(({ textContent }) => textContent)).not.toContain("k, shift + k");
    expect(keys.length).toBeGreaterThan(8);
  });

  it("selects only neurons whose maps are kept, and says so of others", async () => {
    await open();
    const bar = view.page.find(".cw-bar");
    expect(bar.getAttribute("aria-disabled")).toBe("true");
    bar.click();
    pass();
    expect(view.model.get("neuron")).toEqual(NEURON);
    expect(part("status").textContent).toContain("does not keep the map");
    const search = view.page.find<HTMLInputElement>(".cw-search");
    search.value = "5,9";
    view.key("Enter", search);
    expect(view.model.get("neuron")).toEqual(NEURON);
    expect(search.getAttribute("aria-invalid")).toBe("true");
  });

  it("says of how many neurons it shows some", async () => {
    await open();
    const label = () => view.page.find("[data-panel=neurons] .cw-label").textContent;
    expect(label()).toBe("decoder.2 · 96 · frame 3");
    view.model.set("time", 6);
    pass(400);
    await view.model.reply(view.model.last("grid"), { n_neurons: 7 } as never);
    pass();
    expect(label()).toBe("decoder.2 · 7 of 96 · frame 6");
  });

  it("of a live canvas offers all of it", async () => {
    view.open({ pixel: [4, 6] });
    await view.settle();
    for (const name of ["ablate", "rules-button", "overlay", "channel", "n-clusters", "keep-region"])
      expect(isHidden(part(name)), name).toBe(false);
    expect(view.page.find(".cw-bar").hasAttribute("aria-disabled")).toBe(false);
  });
});
