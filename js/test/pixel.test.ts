import { describe, expect, it } from "vitest";
import { SAVE_AFTER } from "../src/state/store";
import type { Body, PixelReply } from "../src/transport/messages";
import { rankedAt } from "./baked";
import { answerTo, CANVAS } from "./fixture";
import { LAYER } from "./page";
import { pass, useView } from "./view";

const view = useView();

describe("pixel", () => {
  it("ranks the neurons of the pinned pixel and selects on click", async () => {
    view.open({ pixel: [4, 6] });
    await view.settle();
    const bars = [...view.page.el.querySelectorAll<HTMLElement>(".cw-bar")];
    expect(bars.map(({ dataset }) => Number(dataset.value))).toEqual((await rankedAt(2, [4, 6])).values);
    expect(bars).toHaveLength(12);
    const sizes = bars.map(({ dataset }) => Math.abs(Number(dataset.value)));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(view.page.find(".cw-panel-pixel").dataset).toMatchObject({
      pixel: "4,6",
      time: "2",
      state: "ready",
    });
    bars[3]?.click();
    pass();
    expect(view.model.get("layer")).toBe(bars[3]?.dataset.layer);
    expect((view.model.get("neuron") as number[]).join(",")).toBe(bars[3]?.dataset.neuron);
    pass(SAVE_AFTER);
    expect(view.model.saves.at(-1)).toHaveProperty("neuron");
  });

  it("names the rule that chose the neurons, and leaves out shares that are not known", async () => {
    view.open({
      pixel: [4, 6],
      sort: "pixel",
      rule: "ablation",
      _canvas: { ...CANVAS, rule: "ablation", ranked_by: "gated" },
    });
    await view.settle();
    view.model.set("pixel", [5, 7]);
    pass();
    const request = view.model.last("pixel");
    const { answer, data } = await answerTo({ ...request.body, rule: "xinc" } as Body);
    const known = answer as PixelReply;
    const neurons = known.neurons.map((one) => ({ ...one, share: null, magnitude: 2 * Math.abs(one.value) }));
    await view.model.reply(request, { ...known, neurons }, data);
    await view.settle();
    const label = view.page.find(".cw-panel-pixel .cw-label").textContent;
    expect(label).toContain("chosen by gated · order: pale bars");
    expect(view.page.find(".cw-bar .cw-bar-share").textContent).toBe("");
    expect(view.page.find(".cw-bar").title).not.toContain("%");
    expect(view.page.find(".cw-shares th").textContent).toBe("layer · gated");
    expect(view.page.find(".cw-panel-neurons .cw-label").textContent).toContain("order by gated");
  });

  it("shows by pale bars what neurons are ordered by, where colours cancel in the sum", async () => {
    view.open({ pixel: [4, 6], sort: "pixel" });
    await view.settle();
    view.model.set("pixel", [5, 7]);
    pass();
    const request = view.model.last("pixel");
    const { answer, data } = await answerTo(request.body as Body);
    const known = answer as PixelReply;
    const of = (value: number, magnitude: number) => ({ value, magnitude });
    const sums = [of(0.5, 0.5), of(-0.1, 0.4), of(0.02, 0.3)];
    const neurons = sums.map((one, i) => ({ ...known.neurons[i], ...one }) as (typeof known.neurons)[0]);
    await view.model.reply(request, { ...known, neurons }, data);
    await view.settle();
    const rows = [...view.page.el.querySelectorAll<HTMLElement>(".cw-bar:not([hidden])")];
    const parts = rows.map((row) =>
      ["whole", "fill"].map((name) => {
        const bar = row.querySelector<HTMLElement>(`.cw-bar-${name}`);
        const side = bar?.dataset.sign ?? "";
        return bar?.hidden ? null : [side, Number.parseFloat(bar?.style.width ?? ""), bar?.style.left];
      }),
    );
    const percent = (value: number) => expect.closeTo((100 * value) / 0.9, 3);
    // From -0.4 to 0.5, so that zero is at 4/9.
    const zero = `${(0.4 / 0.9) * 100}%`;
    expect(parts).toEqual([
      [null, ["+", percent(0.5), zero]],
      [
        ["-", percent(0.4), "0%"],
        ["-", percent(0.1), expect.anything()],
      ],
      [
        ["+", percent(0.3), zero],
        ["+", percent(0.02), zero],
      ],
    ]);
    expect(view.page.find(".cw-panel-pixel .cw-label").textContent).toContain("order: pale bars");
  });

  it("counts the neurons that make half of it", async () => {
    view.open({ pixel: [4, 6] });
    await view.settle();
    const row = view.page.find(".cw-shares tr.cw-current");
    const { halves } = await rankedAt(2, [4, 6]);
    const { n50, n90 } = halves.find(({ layer }) => layer === LAYER) ?? {};
    expect(row.dataset).toMatchObject({ layer: LAYER, n50: String(n50), n90: String(n90) });
    expect(row.title).toContain(`${n50} neurons make 50 %, ${n90} make 90 % (of 96)`);
  });

  it("keeps the last bars under their own label while the next are computed", async () => {
    view.open({ pixel: [4, 6] });
    await view.settle();
    view.model.set("pixel", [5, 5]);
    pass();
    expect(view.page.find(".cw-panel-pixel").dataset).toMatchObject({ pixel: "4,6", state: "loading" });
    await view.settle();
    expect(view.page.find(".cw-panel-pixel").dataset).toMatchObject({ pixel: "5,5", state: "ready" });
  });
});
