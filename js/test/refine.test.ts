// An order by estimated totals gets better by itself, but not under the pointer.
import { describe, expect, it } from "vitest";
import type { GridRequest, MapReply, MapRequest, Request } from "../src/transport/messages";
import { pass, useView } from "./view";

describe("an estimated order", () => {
  const view = useView();
  const body = (request: Request) => request.body as GridRequest;
  const refines = () => view.model.requests("grid").filter(({ view }) => view === "refine");
  const looks = () =>
    view.model
      .requests("grid")
      .filter(({ view }) => view === "grid")
      .map((request) => body(request).look);
  const label = () => view.page.find(".cw-panel-neurons .cw-label").textContent;
  const latest = () => {
    const request = refines().at(-1);
    if (!request) throw new Error("no better estimates were asked for");
    return request;
  };

  /** Answers everything but better estimates; grids have this half width. */
  const settle = async (halfWidth: number) => {
    for (let i = 0; i < 8; i++) {
      for (const request of view.model.requests()) {
        if (answered.has(request.id) || request.view === "refine") continue;
        answered.add(request.id);
        await view.model.reply(request, request.body.kind === "grid" ? { half_width: halfWidth } : {});
      }
      pass(50);
    }
  };
  const answered = new Set<number>();
  const refine = async (halfWidth: number, seconds = 0.3) => {
    await view.model.reply(latest(), { half_width: halfWidth }, undefined, seconds);
    pass(50);
  };

  it("is asked for again until it is settled", async () => {
    view.open({ sort: "total" });
    await settle(0.4);
    expect(new Set(looks())).toEqual(new Set([0]));
    expect(label()).toContain("± 40");
    expect(body(latest())).toMatchObject({ sort: "total", look: 1, count: 0 });
    await refine(0.2);
    await settle(0.2);
    expect(looks().at(-1)).toBe(1);
    expect(label()).toContain("± 20");
    expect(body(latest()).look).toBe(2);
    await refine(0.04);
    await settle(0.04);
    expect(looks().at(-1)).toBe(2);
    expect(refines()).toHaveLength(2);
    expect(view.page.find("[data-testid=status]").textContent).not.toContain("neurons");
  });

  it("stays while the pointer is over it or a button is down", async () => {
    view.open({ sort: "total" });
    await settle(0.4);
    const grid = view.page.find(".cw-grid");
    grid.dispatchEvent(new PointerEvent("pointerenter"));
    await refine(0.2);
    await settle(0.2);
    expect(looks().at(-1)).toBe(0);
    expect(label()).toContain("± 40");
    expect(body(latest()).look).toBe(2); // it gets better meanwhile
    await refine(0.1);
    document.body.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
    grid.dispatchEvent(new PointerEvent("pointerleave"));
    await settle(0.1);
    expect(looks().at(-1)).toBe(0);
    document.body.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
    await settle(0.1);
    expect(looks().at(-1)).toBe(2);
    expect(looks()).not.toContain(1);
    expect(label()).toContain("± 10");
  });

  it("does not scroll when it gets better", async () => {
    view.open({ sort: "total" });
    await settle(0.4);
    const grid = view.page.find(".cw-grid");
    grid.scrollTop = 1500;
    grid.dispatchEvent(new Event("scroll"));
    await settle(0.4);
    await refine(0.2);
    await settle(0.2);
    expect(looks().at(-1)).toBe(1);
    expect(grid.scrollTop).toBe(1500);
  });

  it("is left when another order is chosen, and gone on with after that", async () => {
    view.open({ sort: "total" });
    await settle(0.4);
    await refine(0.2);
    await settle(0.2);
    const { id } = latest();
    view.model.set("sort", "index");
    await settle(0);
    expect(view.model.cancels()).toContain(id);
    expect(body(view.model.requests("grid").at(-1) as Request)).not.toHaveProperty("look");
    view.model.say({ type: "cancelled", id });
    view.model.set("sort", "total");
    await settle(0.2);
    expect(body(latest()).look).toBe(2);
    expect(looks().at(-1)).toBe(1);
  });

  it("is not asked for again where that takes very long, nor where it is exact", async () => {
    view.open({ sort: "total" });
    await settle(0.4);
    await refine(0.3, 90);
    await settle(0.3);
    expect(refines()).toHaveLength(1);
    view.model.set("time", 3);
    await settle(0);
    expect(refines()).toHaveLength(1);
  });
});

describe("an estimated map", () => {
  const view = useView();
  const maps = () => view.model.requests("map");
  const better = () => maps().filter(({ view }) => view === "better map");
  const sampled = (error: number, has_more = true) => ({ pixels: 96, passes: 9, error, has_more });
  const answered = new Set<number>();
  /** Answers everything but better maps; maps are estimated like this. */
  const settle = async (changes: Partial<MapReply>) => {
    for (let i = 0; i < 8; i++) {
      for (const request of view.model.requests()) {
        if (answered.has(request.id) || request.view === "better map") continue;
        answered.add(request.id);
        await view.model.reply(request, request.body.kind === "map" ? changes : {});
      }
      pass(300);
    }
  };
  const refine = async (changes: Partial<MapReply>, seconds = 0.3) => {
    await view.model.reply(better().at(-1) as Request, changes, undefined, seconds);
    pass(300);
  };
  const label = () => view.page.find(".cw-panel-frame .cw-label");
  const open = async (error: number) => {
    view.open({ neuron: null });
    await settle({ sampled: sampled(error) });
  };
  const look = (request: Request | undefined) => (request?.body as MapRequest).look;

  it("is replaced by better ones until it is settled", async () => {
    await open(0.4);
    expect(look(maps().find(({ view }) => view === "map"))).toBe(0);
    expect(label().textContent).toContain("estimated ± 40 %");
    expect(label().title).toContain("Exact at 96 of");
    expect(look(better().at(-1))).toBe(1);
    expect(view.page.find("[data-testid=status]").textContent).not.toContain("map");
    await refine({ sampled: sampled(0.2) });
    expect(label().textContent).toContain("estimated ± 20 %");
    expect(look(better().at(-1))).toBe(2);
    await refine({ sampled: sampled(0.04) });
    expect(label().textContent).toContain("estimated ± 4.0 %");
    expect(better()).toHaveLength(2);
  });

  it("ends where no look is better, or one took very long", async () => {
    await open(0.4);
    await refine({ sampled: sampled(0.3, false) });
    expect(better()).toHaveLength(1);
    view.model.set("time", 3);
    await settle({ sampled: sampled(0.4) });
    await refine({ sampled: sampled(0.3) }, 90);
    expect(better()).toHaveLength(2);
  });

  it("is left when another map is chosen", async () => {
    await open(0.4);
    const { id } = better().at(-1) as Request;
    view.model.set("neuron", [0, 1]);
    await settle({ sampled: null });
    expect(view.model.cancels()).toContain(id);
    expect(label().textContent).not.toContain("estimated");
    expect(maps().at(-1)?.body).not.toHaveProperty("look");
  });

  it("is exact with signs", async () => {
    view.open({ neuron: null, maps: "signed" });
    await settle({ sampled: sampled(0.4) });
    expect(label().textContent).not.toContain("estimated");
  });
});
