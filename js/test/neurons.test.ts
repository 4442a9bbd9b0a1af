import { describe, expect, it } from "vitest";
import type { Body, GridReply, GridRequest } from "../src/transport/messages";
import { byTotal } from "./baked";
import { answerTo } from "./fixture";
import { BIG, HEAD, LAYER, painted } from "./page";
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

  it("does not say that it computes what nobody waits for yet", async () => {
    view.open();
    const others = ["palettes", "frame", "map", "clusters", "curve", "strip"] as const;
    for (let i = 0; i < 8; i++) {
      await view.model.settle([...others, "pixel", "faithfulness"]);
      pass();
    }
    const said = () => view.page.find("[data-testid=status]").textContent;
    const tell = () => {
      const { id } = view.model.last("grid");
      view.model.say({ type: "progress", id, done: 3, total: 12 });
    };
    tell();
    expect(said()).toBe(`computing thumbnails of ${LAYER} · 3 / 12`);
    await view.model.reply(view.model.last("grid"));
    pass(50);
    expect((view.model.last("grid").body as GridRequest).first).toBeGreaterThan(0);
    tell();
    pass(1000);
    expect(said()).toBe("ready");
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
