// An order by estimated totals gets better by itself, but not under the pointer.
import { describe, expect, it } from "vitest";
import type { GridRequest, Request } from "../src/transport/messages";
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
