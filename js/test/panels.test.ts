import { describe, expect, it } from "vitest";
import { SAVE_AFTER } from "../src/state/store";
import type { Body, GridReply, GridRequest, PixelReply } from "../src/transport/messages";
import { byTotal, rankedAt } from "./baked";
import { answerTo, CANVAS } from "./fixture";
import { BIG, HEAD, LAYER, NEURON, painted, state } from "./page";
import { pass, useView } from "./view";

/** Seconds of an answer after which nothing is asked for ahead. */
const SLOW = 1;
const view = useView();

/** Answers all, grids as of 18,432 neurons: those of the layer that the page keeps, again and again. */
async function settleLarge(): Promise<void> {
  const others: Body["kind"][] = ["palettes", "frame", "map", "curve", "strip", "pixel", "faithfulness"];
  const answered = new Set<number>();
  for (let i = 0; i < 6; i++) {
    for (const request of view.model.requests("grid")) {
      if (answered.has(request.id)) continue;
      answered.add(request.id);
      const body = request.body as GridRequest;
      const { answer, data } = await answerTo({ ...body, layer: LAYER, first: body.first % 36 });
      const { layer, first } = body;
      await view.model.reply(request, { ...answer, layer, first, n_neurons: 18_432 } as GridReply, data);
    }
    await view.model.settle(others);
    pass(50);
  }
}

describe("neurons", () => {
  it("asks only for what is in sight, of thousands", async () => {
    view.open({ layer: BIG });
    await settleLarge();
    const asked = () =>
      Math.max(
        ...view.model
          .requests("grid")
          .map(
            ({ body }) =>
              (body as { first: number; count: number }).first + (body as { count: number }).count,
          ),
      );
    expect(view.page.find(".cw-panel-neurons .cw-label").textContent).toContain("18,432");
    expect(asked()).toBeLessThanOrEqual(48);
    expect(view.page.el.querySelectorAll(".cw-thumb").length).toBeLessThan(40);
    const scroller = view.page.find(".cw-grid");
    scroller.scrollTop = 100_000;
    scroller.dispatchEvent(new Event("scroll"));
    pass();
    const { first, count } = view.model.last("grid").body as { first: number; count: number };
    expect(first).toBeGreaterThan(3000);
    await settleLarge();
    expect(count).toBeLessThanOrEqual(60);
    expect(view.page.el.querySelectorAll(".cw-thumb").length).toBeLessThan(40);
  });

  it("labels its buttons, marks the selected one, selects on click", async () => {
    view.open();
    await view.settle();
    const thumbs = [...view.page.el.querySelectorAll<HTMLElement>(".cw-thumb[data-neuron]")];
    const third = thumbs[2];
    const neuron = third?.dataset.neuron ?? "";
    expect(third?.getAttribute("aria-label")).toMatch(
      new RegExp(`^neuron ${neuron.replace(",", " → ")}, [\\d.−e]+$`),
    );
    third?.click();
    pass();
    expect(view.model.get("neuron")).toEqual(neuron.split(",").map(Number));
    expect(third?.getAttribute("aria-pressed")).toBe("true");
    expect(thumbs.filter((thumb) => thumb.getAttribute("aria-pressed") === "true")).toHaveLength(1);
  });

  it("sorts by frequency, and says of each which it has or that it has none", async () => {
    view.open({ sort: "frequency" });
    for (let i = 0; i < 3; i++) {
      await view.model.settle(["palettes", "frame", "map"]);
      pass();
    }
    const asked = view.model.last("grid");
    expect(asked.body).toMatchObject({ sort: "frequency", pixel: null, region: null });
    const { answer, data } = await answerTo({ ...asked.body, sort: "total" } as GridRequest);
    const values = (answer as GridReply).values.map((_, i) => (i < 2 ? 0.03125 * (i + 1) : null));
    await view.model.reply(asked, { ...answer, values } as GridReply, data);
    pass();
    const thumb = (i: number) => view.page.find(`.cw-thumb[data-index="${i}"]`);
    expect(thumb(1).getAttribute("aria-label")).toContain("frequency: 0.0625 cycles a pixel");
    expect(thumb(1).title).toContain("frequency: 0.0625 cycles a pixel");
    expect(thumb(1).querySelector(".cw-muted")?.textContent).toBe("0.063");
    expect(thumb(2).getAttribute("aria-label")).toContain(
      "no frequency: the map is 0 or the same everywhere",
    );
    expect(thumb(2).querySelector(".cw-muted")?.textContent).toBe("none");
    const option = [...view.page.find<HTMLSelectElement>("[data-testid=sort]").options].find(
      ({ selected }) => selected,
    );
    expect([option?.textContent, option?.hidden]).toEqual(["frequency", false]);
    expect(view.page.find(".cw-panel-neurons .cw-label").textContent).toContain(
      "lowest frequency first, cycles a pixel",
    );
    view.page.find("[data-value=own]").click();
    pass();
    expect(view.page.find(".cw-panel-neurons .cw-label").textContent).toMatch(/lowest frequency first$/);
    expect(thumb(2).querySelector(".cw-muted")?.textContent).not.toBe("none");
  });

  it("adds with each click while several are selected, until Esc", async () => {
    view.open();
    await view.settle();
    const button = view.page.find("[data-testid=several]");
    const click = (i: number) => {
      view.page.find(`.cw-thumb[data-index="${i}"]`).click();
      pass();
    };
    click(0);
    button.click();
    click(1);
    click(2);
    expect(button.getAttribute("aria-pressed")).toBe("true");
    expect(view.model.get("neurons")).toHaveLength(3);
    click(0);
    expect(view.model.get("neurons")).toHaveLength(2);
    view.key("Escape");
    expect(button.getAttribute("aria-pressed")).toBe("false");
    expect(view.model.get("neurons")).toHaveLength(2); // what was selected stays
    click(0);
    expect(view.model.get("neurons")).toHaveLength(1);
  });

  it("asks ahead for what comes into sight next, where answers come quickly", async () => {
    view.open();
    for (let i = 0; i < 3; i++) {
      await view.model.settle(["palettes", "frame", "map"]);
      pass();
    }
    const firsts = () => view.model.requests("grid").map(({ body }) => (body as GridRequest).first);
    const before = firsts();
    await view.model.reply(view.model.last("grid"), {}, undefined, SLOW);
    pass(50);
    expect(firsts()).toEqual(before);
    view.model.set("sort", "index");
    pass();
    await view.model.reply(view.model.last("grid"));
    pass(50);
    const shown = view.page.el.querySelectorAll(".cw-thumb").length;
    const { first, count } = view.model.last("grid").body as GridRequest;
    expect(first).toBeGreaterThan(0);
    expect(first + count).toBeGreaterThanOrEqual(shown);
  });

  it("moves the focus with the arrows, one button in the tab order", async () => {
    view.open();
    await view.settle();
    const grid = view.page.find(".cw-grid");
    expect(view.page.el.querySelectorAll(".cw-thumb[tabindex='0']")).toHaveLength(1);
    view.key("ArrowRight", grid);
    expect((document.activeElement as HTMLElement).dataset.index).toBe("1");
    view.key("ArrowDown", grid);
    expect((document.activeElement as HTMLElement).dataset.index).toBe("4");
    expect(view.model.get("time")).toBe(2);
    expect(view.page.el.querySelectorAll(".cw-thumb[tabindex='0']")).toHaveLength(1);
  });

  it("asks by pixel only when there is one, and again when it moves", async () => {
    view.open({ sort: "pixel" });
    await view.settle();
    expect(view.model.last("grid").body).toMatchObject({ sort: "total", pixel: null });
    view.model.set("pixel", [1, 2]);
    pass();
    expect(view.model.last("grid").body).toMatchObject({ sort: "total" }); // the bars come first
    await view.model.settle(["pixel"]);
    pass();
    expect(view.model.last("grid").body).toMatchObject({ sort: "pixel", pixel: [1, 2], first: 0 });
  });

  it("clears the thumbnails of another layer at once", async () => {
    view.open();
    await view.settle();
    expect(view.page.el.querySelectorAll(".cw-thumb[data-neuron]").length).toBeGreaterThan(4);
    view.model.set("layer", HEAD);
    pass();
    expect(view.page.el.querySelectorAll(".cw-thumb[data-neuron]")).toHaveLength(0);
    expect(view.page.find(".cw-panel-neurons").dataset.state).toBe("loading");
  });

  it("asks for clusters only when told to, then colours and counts", async () => {
    view.open();
    await view.settle();
    expect(view.model.requests("clusters")).toEqual([]);
    view.page.find("[data-testid=cluster-neurons]").click();
    await view.settle();
    expect(view.model.requests("clusters")).toHaveLength(1);
    expect(view.page.el.querySelectorAll(".cw-chip[data-cluster]")).toHaveLength(6);
    expect(view.page.el.querySelectorAll(".cw-thumb[data-cluster]").length).toBeGreaterThan(0);
    view.page.find(".cw-chip[data-cluster='2']").click();
    pass();
    expect(view.model.get("cluster")).toBe(2);
    expect(view.model.last("grid").body).toMatchObject({ cluster: 2, first: 0 });
  });

  it("warns of a layer whose check failed", async () => {
    view.open();
    const warning = "decoder.3: 'row and column agree' fails by 1.0e-02 of the largest value";
    for (let i = 0; i < 3; i++) {
      await view.model.settle(["palettes", "frame", "map"]);
      pass();
    }
    await view.model.reply(view.model.last("grid"), { warning }, undefined, SLOW);
    await view.settle();
    const status = view.page.find("[data-testid=status]");
    expect(status.textContent).toBe(`WARNING: ${warning}`);
    expect(status.dataset.kind).toBe("error");
  });

  it("says that an order is by estimates, and how good they are", async () => {
    view.open({ sort: "total" });
    for (let i = 0; i < 3; i++) {
      await view.model.settle(["palettes", "frame", "map"]);
      pass();
    }
    await view.model.reply(view.model.last("grid"), { half_width: 0.043 }, undefined, SLOW);
    await view.settle();
    const label = () => view.page.find(".cw-panel-neurons .cw-label").textContent;
    expect(label()).toContain("order estimated, totals ± 4");
    view.model.set("sort", "index");
    await view.settle();
    expect(label()).not.toContain("estimated");
  });

  it("keeps a thumbnail that has the focus right when it is out of sight", async () => {
    view.open({ neuron: [5, 15], sort: "total" });
    await view.settle();
    const first = view.page.find('.cw-thumb[data-index="0"]');
    first.focus();
    const before = first.dataset.neuron;
    view.model.set("sort", "index");
    await view.settle();
    expect(view.page.find(".cw-grid").scrollTop).toBeGreaterThan(0); // where the selected neuron is
    expect(document.activeElement).toBe(first);
    expect(first.dataset.index).toBe("0");
    expect(first.dataset.neuron).not.toBe(before);
    expect(["0,0", undefined]).toContain(first.dataset.neuron);
  });

  it("says that a neuron is not in the cluster that is shown", async () => {
    view.open({ neuron: null, cluster: 1 });
    await view.settle();
    const search = view.page.find<HTMLInputElement>(".cw-search");
    search.value = "0,0";
    view.key("Enter", search);
    await view.settle();
    const shown = [...view.page.el.querySelectorAll<HTMLElement>(".cw-thumb")];
    const there = shown.some(({ dataset }) => dataset.neuron === "0,0");
    expect(there).toBe(false);
    expect(view.page.find("[data-testid=status]").textContent).toContain("is not in cluster 1");
  });

  it("draws all thumbnails of a layer on one scale, and says which; or each on its own", async () => {
    view.open({ neuron: null });
    await view.settle();
    const thumbs = () => [...view.page.el.querySelectorAll<HTMLElement>(".cw-thumb[data-neuron]")];
    const pixels = (thumb: HTMLElement | undefined) => [
      ...(painted.get(thumb?.querySelector("canvas") as HTMLCanvasElement) ?? []),
    ];
    const brightest = (thumb: HTMLElement | undefined) =>
      Math.max(...pixels(thumb).filter((_, i) => i % 4 === 0));
    const foot = view.page.find("[data-panel=neurons] .cw-foot");
    const bar = view.page.find("[data-testid=grid-scale]");
    const scale = bar.textContent;
    expect(scale).toMatch(/^0≥ [\d.]+$/);
    expect(foot.textContent).toMatch(/bars: totals \(colours added\), to [\d.]+/);
    const [first, last] = [thumbs()[0], thumbs().at(-1)];
    const length = (thumb: HTMLElement | undefined) =>
      Number.parseFloat(thumb?.querySelector<HTMLElement>(".cw-thumb-total i")?.style.width ?? "");
    expect(length(first)).toBe(100);
    expect(length(last)).toBeCloseTo((Number(last?.dataset.total) / Number(first?.dataset.total)) * 100, 3);
    const strongest = Number(first?.dataset.total);
    // Scrolled far down, where maps are much weaker, colours mean the same.
    const scroller = view.page.find(".cw-grid");
    scroller.scrollTop = 2_400;
    scroller.dispatchEvent(new Event("scroll"));
    pass();
    await view.settle();
    const weak = thumbs().at(-1);
    expect(Number(weak?.dataset.total)).toBeLessThan(strongest / 20);
    expect(bar.textContent).toBe(scale);
    expect(brightest(weak)).toBeLessThan(80);
    foot.querySelector<HTMLElement>("[data-value=own]")?.click();
    pass();
    expect(brightest(weak)).toBe(253);
    expect(bar.classList.contains("cw-hidden")).toBe(true);
    expect(foot.textContent).toContain("each map to its own largest value");
    expect(weak?.textContent).toMatch(/\d→\d+.*\d[.e−]/);
  });

  it("finds a neuron by its number", async () => {
    view.open();
    await view.settle();
    view.key("/");
    const search = view.page.find<HTMLInputElement>(".cw-search");
    expect(document.activeElement).toBe(search);
    const order = byTotal(LAYER, 2).map(({ neuron }) => neuron);
    const wanted = order[80] as number[];
    search.value = String(wanted);
    view.key("Enter", search);
    expect(view.model.get("neuron")).toEqual(wanted);
    // The page knows those in sight: it asks for the place of another, and scrolls there.
    await view.settle();
    const thumb = [...view.page.el.querySelectorAll<HTMLElement>(".cw-thumb")].find(
      ({ dataset }) => dataset.neuron === String(wanted),
    );
    expect(thumb?.getAttribute("aria-pressed")).toBe("true");
    expect(view.page.find(".cw-grid").scrollTop).toBeGreaterThan(1000);
    expect(Number(thumb?.dataset.index)).toBe(order.indexOf(wanted));
    search.value = "5";
    view.key("Enter", search);
    expect(view.model.get("neuron")).toEqual(wanted);
    expect(search.getAttribute("aria-invalid")).toBe("true");
  });
});

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
    expect(label).toContain("chosen by gated · order by magnitude (each colour)");
    expect(view.page.find(".cw-bar .cw-bar-share").textContent).toBe("");
    expect(view.page.find(".cw-bar").title).not.toContain("%");
    expect(view.page.find(".cw-shares th").textContent).toBe("layer · gated");
    expect(view.page.find(".cw-panel-neurons .cw-label").textContent).toContain("order by gated");
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

describe("time", () => {
  const asked = () =>
    view.model.requests("curve").flatMap(({ body }) => (body as { frames: number[] }).frames);

  it("fills the curve in, nearest first, a few frames at a time", async () => {
    view.open();
    await view.model.settle(["palettes", "frame", "map"]);
    pass();
    expect(asked()).toHaveLength(2);
    expect(asked()).toContain(2);
    const done = view.page.find("[data-testid=curve]");
    expect(done.dataset.done).toBe("0");
    await view.model.reply(view.model.last("curve"), {}, undefined, 0.4);
    pass();
    expect(done.dataset.done).toBe("2");
    // 0.2 s a frame: one at a time.
    expect(asked()).toHaveLength(3);
    await view.model.reply(view.model.last("curve"), {}, undefined, 0.001);
    pass();
    expect(asked()).toHaveLength(8);
    await view.model.reply(view.model.last("curve"), {}, undefined, 0.001);
    pass();
    expect(done.dataset.done).toBe("8");
    expect([...asked()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(view.page.find(".cw-panel-time").dataset.state).toBe("ready");
  });

  it("moves the playhead where the curve is clicked or dragged", async () => {
    view.open();
    await view.settle();
    const track = view.page.find(".cw-track");
    view.pointer("pointerdown", track, 228, 50, 1); // of 320
    pass();
    expect(view.model.get("time")).toBe(5);
    expect(view.page.find("[data-testid=playhead]").style.transform).toMatch(/^translateX\(71\.4/);
    view.pointer("pointermove", track, 9999, 50, 1);
    pass();
    expect(view.model.get("time")).toBe(7);
  });

  it("starts anew for another neuron and remembers the first", async () => {
    view.open();
    await view.settle();
    expect(view.page.find("[data-testid=curve]").dataset.done).toBe("8");
    view.model.set("neuron", [0, 1]);
    pass();
    expect(view.page.find("[data-testid=curve]").dataset).toMatchObject({
      done: "0",
      selection: `${LAYER}/0,1`,
    });
    const before = view.model.requests("curve").length;
    view.model.set("neuron", NEURON);
    pass();
    expect(view.page.find("[data-testid=curve]").dataset.done).toBe("8");
    expect(view.model.requests("curve").length).toBeLessThanOrEqual(before + 1);
  });

  it("does not sum up a whole layer unasked", async () => {
    view.open({ neuron: null });
    await view.settle();
    pass(1000);
    await view.settle();
    expect(view.model.requests("curve")).toEqual([]);
    expect(view.page.find(".cw-panel-time .cw-hint").textContent).toContain("Select a neuron or a cluster");
    view.page.find("[data-testid=whole-layer]").click();
    await view.settle();
    expect(view.page.find("[data-testid=curve]").dataset.done).toBe("8");
  });

  it("has no playhead for an image", async () => {
    view.open({ _canvas: { ...(state()._canvas as object), n_frames: 1 }, time: 0 });
    await view.settle();
    expect(view.page.find(".cw-control-time").hidden).toBe(true);
    expect(view.model.requests("curve")).toEqual([]);
    expect(view.page.find(".cw-panel-time").hidden).toBe(true);
    expect(view.page.find(".cw-panel-frame .cw-label").textContent).toMatch(
      / · total \(colours added\) 18\.8/,
    );
  });
});
