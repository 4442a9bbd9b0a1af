import { describe, expect, it } from "vitest";
import type { NamedRegion, RegionsRequest } from "../src/transport/messages";
import { pass, useView } from "./view";

const view = useView();
const box = (top: number, left: number) => ({
  points: [
    [top, left],
    [top, left + 4],
    [top + 4, left + 4],
    [top + 4, left],
  ],
  runs: [],
});
const REGIONS: NamedRegion[] = [
  { name: "sky", frames: [box(0, 0)] },
  { name: "ball", frames: [box(4, 0), box(4, 1), box(4, 2), null, null, null, null, null] },
];
const row = (name: string) => view.page.find<HTMLButtonElement>(`[data-region="${name}"]`);
const settle = async () => {
  pass(300);
  await view.settle();
  pass(300);
  await view.settle();
};

describe("the region that is drawn", () => {
  it("has its share told at once, until it is one with a name, and goes with Delete", async () => {
    view.open({ region: box(2, 2), regions: [] });
    await settle();
    expect(view.page.find("[data-testid=regions]").hidden).toBe(false);
    expect((view.model.last("regions").body as RegionsRequest).regions).toEqual([box(2, 2)]);
    const drawn = row("drawn region");
    expect(drawn.getAttribute("aria-pressed")).toBe("true");
    expect(drawn.textContent).toMatch(/%/);
    view.page.find("[data-testid=keep-region]").click();
    await settle();
    expect((view.model.last("regions").body as RegionsRequest).regions).toEqual([box(2, 2)]);
    expect(drawn.dataset.region).toBe("region 1");
    view.model.set("region", box(0, 0));
    await settle();
    const [, second] = view.page.el.querySelectorAll<HTMLElement>(".cw-region-row");
    expect(second?.dataset.region).toBe("drawn region");
    second?.focus();
    view.key("Delete", second as HTMLElement);
    expect(view.model.get("region")).toBeNull();
    expect((view.model.get("regions") as NamedRegion[]).map(({ name }) => name)).toEqual(["region 1"]);
  });
});

describe("the region of an object that moves", () => {
  const grid = () => view.page.find("[data-testid=grid]");

  it("goes with the frame in the same message, and stays where the object leaves", async () => {
    view.open({ regions: REGIONS, region: box(4, 2) });
    await settle();
    const slider = view.page.find<HTMLInputElement>("[data-testid=time]");
    const drag = (time: number) => {
      slider.value = String(time);
      slider.dispatchEvent(new Event("input"));
      pass();
    };
    drag(1);
    expect([view.model.get("time"), view.model.get("region")]).toEqual([1, box(4, 1)]);
    drag(6);
    expect(view.model.get("region")).toEqual(box(4, 1));
    drag(0);
    expect(view.model.get("region")).toEqual(box(4, 0));
  });

  it("is none of one that stands still, or that was drawn", async () => {
    view.open({ regions: REGIONS, region: box(0, 0) });
    await settle();
    view.page.find<HTMLInputElement>("[data-testid=time]").value = "4";
    view.page.find("[data-testid=time]").dispatchEvent(new Event("input"));
    pass();
    expect([view.model.get("time"), view.model.get("region")]).toEqual([4, box(0, 0)]);
  });

  it("is drawn in the thumbnails too", async () => {
    view.open({ regions: REGIONS });
    await settle();
    expect(grid().hasAttribute("data-region")).toBe(false);
    for (const region of [box(4, 2), { points: [], runs: [3, 2, 30, 4] }]) {
      view.model.set("region", region);
      pass();
      expect(grid().hasAttribute("data-region")).toBe(true);
      expect(grid().style.getPropertyValue("--cw-region")).toContain("data:image/svg+xml");
    }
    view.model.set("region", null);
    pass();
    expect(grid().hasAttribute("data-region")).toBe(false);
  });
});

describe("the list of regions", () => {
  it("is not there without any, and asks for nothing", async () => {
    view.open();
    await settle();
    expect(view.page.find('[data-testid="regions"]').hidden).toBe(true);
    expect(view.model.requests("regions")).toHaveLength(0);
  });

  it("has a bar each, of the selection at the frame, and a click makes one current", async () => {
    view.open({ regions: REGIONS });
    await settle();
    const body = view.model.last("regions").body as RegionsRequest;
    expect(body.regions).toEqual([box(0, 0), box(4, 2)]);
    expect(Number(row("sky").dataset.share)).toBeGreaterThan(0);
    expect(row("sky").getAttribute("aria-label")).toMatch(
      /sky: .* % of the contribution on .* % of the frame/,
    );
    row("ball").click();
    pass();
    expect(view.model.get("region")).toEqual(box(4, 2));
    expect(view.model.get("sort")).toBe("region");
    expect(row("ball").getAttribute("aria-pressed")).toBe("true");
    row("ball").click();
    pass();
    expect(view.model.get("region")).toBeNull();
  });

  it("keeps old bars, dimmed, until those of the frame come, and says what is not in it", async () => {
    view.open({ regions: REGIONS });
    await settle();
    view.model.set("time", 5);
    pass();
    const list = view.page.find('[data-testid="regions"]');
    expect(list.hasAttribute("data-stale")).toBe(true);
    expect(list.dataset.time).toBe("2");
    expect(list.title).toContain("frame 2");
    await settle();
    expect(list.hasAttribute("data-stale")).toBe(false);
    expect(list.dataset.time).toBe("5");
    expect(row("ball").textContent).toContain("not here");
    expect((view.model.last("regions").body as RegionsRequest).regions).toHaveLength(1);
  });

  it("is one stop for Tab; arrows move in it, Delete takes one off", async () => {
    view.open({ regions: REGIONS });
    await settle();
    const stops = () => [...view.page.el.querySelectorAll('.cw-region-row:not([hidden])[tabindex="0"]')];
    expect(stops()).toEqual([row("sky")]);
    row("sky").focus();
    view.key("ArrowRight", row("sky"));
    expect(document.activeElement).toBe(row("ball"));
    expect(stops()).toEqual([row("ball")]);
    expect(view.model.get("time")).toBe(2);
    view.key("Delete", row("ball"));
    expect((view.model.get("regions") as NamedRegion[]).map(({ name }) => name)).toEqual(["sky"]);
  });

  it("is shortened by a click, too: that of the current region's cross; and undo puts it back", async () => {
    view.open({ regions: REGIONS });
    await settle();
    const cross = view.page.find('[data-testid="clear-region"]');
    row("ball").click();
    pass();
    expect([cross.title, cross.getAttribute("aria-label")]).toEqual(Array(2).fill("Take ball off the list"));
    pass(1000);
    cross.click();
    pass();
    const names = () => (view.model.get("regions") as NamedRegion[]).map(({ name }) => name);
    expect([names(), view.model.get("region"), cross.title]).toEqual([["sky"], null, "Clear the region"]);
    view.key("z", undefined, { ctrlKey: true });
    expect([names(), view.model.get("region")]).toEqual([["sky", "ball"], expect.anything()]);
  });

  it("takes the region that is drawn", async () => {
    view.open({ regions: REGIONS, region: box(1, 1) });
    await settle();
    const keep = view.page.find<HTMLButtonElement>('[data-testid="keep-region"]');
    expect(keep.hasAttribute("aria-disabled")).toBe(false);
    keep.click();
    pass();
    expect((view.model.get("regions") as NamedRegion[]).at(-1)).toEqual({
      name: "region 3",
      frames: [box(1, 1)],
    });
    // It stays in its place: the second click of a double click must not fall on the tool beside it.
    expect([keep.hidden, keep.getAttribute("aria-disabled")]).toEqual([false, "true"]);
    keep.click();
    pass();
    expect(view.model.get("regions")).toHaveLength(3);
  });
});

describe("the bars of a pixel", () => {
  it("are one stop for Tab", async () => {
    view.open({ pixel: [3, 5] });
    await settle();
    const bars = [...view.page.el.querySelectorAll<HTMLElement>(".cw-bar:not([hidden])")];
    expect(bars.length).toBeGreaterThan(5);
    expect(bars.filter(({ tabIndex }) => tabIndex === 0)).toEqual([bars[0]]);
    bars[0]?.focus();
    view.key("ArrowDown", bars[0]);
    expect(document.activeElement).toBe(bars[1]);
    view.key("End", bars[1]);
    expect(document.activeElement).toBe(bars.at(-1));
    expect(bars.filter(({ tabIndex }) => tabIndex === 0)).toEqual([bars.at(-1)]);
  });
});
