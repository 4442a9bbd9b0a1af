import { describe, expect, it } from "vitest";
import { following } from "../src/sources/player";
import type { CurveRequest, FrameRequest, GridRequest, StripRequest } from "../src/transport/messages";
import { painted } from "./page";
import { pass, useView } from "./view";

const view = useView();
const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7];
const rest = async () => {
  for (let i = 0; i < 30; i++) {
    await view.model.settle();
    pass(400);
  }
};
const times = (kind: "frame" | "map") =>
  view.model.requests(kind).map(({ body }) => (body as FrameRequest).time);
const loopEnd = (end: "first" | "last", value: number) => {
  const input = view.page.find<HTMLInputElement>(`[data-testid=loop-${end}]`);
  input.value = String(value);
  input.dispatchEvent(new Event("input", { bubbles: true }));
};

describe("what plays", () => {
  it("follows the clip around its end, and a loop around its own", () => {
    view.open();
    expect([0, 6, 7].map((time) => following(time, 1, EIGHT, null))).toEqual([1, 7, 0]);
    expect([2, 3, 4, 0, 7].map((time) => following(time, 1, EIGHT, [2, 4]))).toEqual([3, 4, 2, 2, 2]);
    expect(following(0, -1, EIGHT, null)).toBe(7);
    expect([2, 7].map((time) => following(time, -1, EIGHT, [2, 4]))).toEqual([4, 4]);
  });

  it("is chosen by the two ends, which never meet", () => {
    view.open();
    loopEnd("first", 2);
    pass();
    expect(view.model.get("loop")).toEqual([2, 7]);
    loopEnd("last", 1);
    pass();
    expect(view.model.get("loop")).toEqual([2, 3]);
    view.page.find(".cw-loop").dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    pass();
    expect(view.model.get("loop")).toBeNull();
  });

  it("stays in the loop", async () => {
    view.open({ loop: [2, 4], fps: 60 });
    await rest();
    view.model.set("playing", true);
    const seen = new Set<unknown>();
    for (let i = 0; i < 100; i++) {
      await view.model.settle();
      pass(17);
      seen.add(view.model.get("time"));
    }
    expect([...seen].sort()).toEqual([2, 3, 4]);
  });
});

describe("frames ahead of need", () => {
  it("are fetched on both sides of the playhead, its direction first, frame and map of one time together", async () => {
    view.open({ time: 4 });
    await view.settle();
    await rest();
    expect(new Set(times("frame"))).toEqual(new Set([2, 3, 4, 5, 6, 7, 0]));
    const order = times("frame");
    expect(order.indexOf(5)).toBeLessThan(order.indexOf(6));
    expect(order.indexOf(3)).toBeLessThan(order.indexOf(6));
    expect(times("map")).toEqual(order);
  });

  it("begin behind the playhead when it goes back", async () => {
    view.open({ time: 6 });
    await view.model.settle(["frame", "map", "pixel", "palettes"]);
    view.model.set("time", 5);
    for (let i = 0; i < 4; i++) {
      await view.model.settle();
      pass(400);
    }
    expect(times("frame").slice(0, 3)).toEqual([6, 5, 4]);
  });
});

describe("the curve", () => {
  it("is done, and asks no more, where the kernel has not every frame", async () => {
    view.open();
    let answered = 0;
    for (let i = 0; i < 12; i++) {
      for (const request of view.model.requests("curve").slice(answered)) {
        answered += 1;
        const { frames } = request.body as CurveRequest;
        const known = (at: number) => (at % 2 ? null : at);
        await view.model.reply(request, {
          frames,
          totals: frames.map(known),
          changes: frames.map(() => null),
        });
      }
      pass(300);
      await view.model.settle(["frame", "map", "pixel", "palettes", "grid"]);
    }
    const asked = view.model.requests("curve").flatMap(({ body }) => (body as CurveRequest).frames);
    expect(asked.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(view.page.find("[data-testid=curve]").dataset.done).toBe("8");
  });
});

describe("film strip", () => {
  it("asks for its few frames when nothing else is asked for", async () => {
    view.open();
    pass(1000);
    expect(view.model.requests("strip")).toEqual([]);
    await rest();
    const asked = view.model.requests("strip").flatMap(({ body }) => (body as StripRequest).frames);
    expect(asked.length).toBeGreaterThan(0);
    expect(new Set(asked).size).toBe(asked.length);
    expect(view.model.requests("strip").every(({ body }) => (body as StripRequest).frames.length <= 4)).toBe(
      true,
    );
  });
});

describe("scrubbing over a slow layer", () => {
  it("asks for the frame that was under way and the last one, and never shows one under another's label", async () => {
    view.open({ time: 0 });
    await view.model.settle(["frame", "map", "pixel", "palettes"]);
    pass();
    const canvas = view.page.find<HTMLCanvasElement>(".cw-frame-canvas");
    const label = () =>
      view.page.find("[data-panel=frame] .cw-label > span").textContent?.match(/frame\s+(\d+)/)?.[1];
    const looks = new Map<string, Set<string>>();
    const look = () => {
      const pictures = looks.get(label() ?? "") ?? new Set();
      pictures.add(String(painted.get(canvas)?.slice(0, 600)));
      looks.set(label() ?? "", pictures);
      expect(canvas.dataset.time).toBe(label());
    };
    const before = [view.model.requests("frame").length, view.model.requests("map").length];
    for (let i = 0; i < 120; i++) {
      view.model.set("time", 1 + (i % 6));
      pass(16);
      look();
    }
    view.model.set("time", 7);
    expect(view.model.requests("frame").length).toBe((before[0] ?? 0) + 1);
    expect(view.model.requests("map").length).toBe((before[1] ?? 0) + 1);
    for (let i = 0; i < 6; i++) {
      await view.model.settle(["frame", "map"]);
      look();
      pass(16);
      look();
    }
    expect(times("frame").slice(before[0])).toEqual([1, 7]);
    expect(times("map").slice(before[1])).toEqual([1, 7]);
    expect(label()).toBe("7");
    for (const [time, pictures] of looks) {
      expect(pictures.size, `pictures under the label ${time}`).toBeLessThanOrEqual(2); // with and without its map
      for (const [other, those] of looks)
        if (other !== time) expect([...pictures].some((picture) => those.has(picture))).toBe(false);
    }
  });

  it("leaves thumbnails and bars alone until the playhead rests", async () => {
    view.open({ time: 0, pixel: [2, 3] });
    await rest();
    const asked = () => (["grid", "pixel"] as const).map((kind) => view.model.requests(kind).length).join();
    const before = asked();
    for (let i = 0; i < 60; i++) {
      view.model.set("time", 1 + (i % 6));
      pass(16);
      await view.model.settle(["frame", "map"]);
    }
    const during = view.model.requests("grid").slice(Number(before.split(",")[0]));
    expect(during.filter(({ body }) => (body as GridRequest).time !== 1)).toEqual([]);
    await rest();
    expect(asked()).not.toBe(before);
  });
});

describe("restyling", () => {
  it("sends nothing to the kernel, and is saved when its gesture ends", async () => {
    view.open();
    await rest();
    const [sent, saved] = [view.model.sent.length, view.model.saves.length];
    const canvas = view.page.find<HTMLCanvasElement>(".cw-frame-canvas");
    const pictures = new Set<string>();
    for (const name of ["opacity", "contrast"]) {
      const slider = view.page.find<HTMLInputElement>(`[data-testid=${name}]`);
      for (let i = 1; i <= 20; i++) {
        slider.value = String(Number(slider.max) * (i / 20));
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        pass(16);
        pictures.add(String(painted.get(canvas)));
      }
    }
    view.page.find<HTMLElement>("[data-value=signed]").click();
    pass(16);
    pictures.add(String(painted.get(canvas)));
    expect(pictures.size).toBeGreaterThan(20);
    expect(view.model.sent.length).toBe(sent);
    pass(500);
    expect(view.model.saves.length).toBe(saved + 1);
  });
});
