import { describe, expect, it } from "vitest";
import type { GridRequest, MapRequest, PixelRequest } from "../src/transport/messages";
import { HEAD, LAYER } from "./page";
import { pass, useView } from "./view";

const view = useView();
const button = (value: string) =>
  view.page.find<HTMLButtonElement>(`[data-testid="channel"] [data-value="${value}"]`);

describe("the colour that is contributed to", () => {
  it("is asked for by map, thumbnails and bars together", async () => {
    view.open({ layer: HEAD, neuron: [3, 1], pixel: [3, 5] });
    await view.settle();
    expect((view.model.last("map").body as MapRequest).selection.channel).toBeUndefined();
    button("green").click();
    pass(300);
    await view.settle();
    expect(view.model.get("channel")).toBe("green");
    expect((view.model.last("map").body as MapRequest).selection.channel).toBe("green");
    expect((view.model.last("pixel").body as PixelRequest).selection.channel).toBe("green");
    expect((view.model.last("grid").body as GridRequest).channel).toBe("green");
    const frame = view.page.find('[data-testid="frame"]');
    expect(frame.dataset.selection).toBe(`${HEAD}/3,1:green`);
    expect(view.page.find(".cw-panel-frame .cw-label").textContent).toContain("green");
    expect(view.page.find('[data-testid="grid-scale"]').title).toBe(`Of all thumbnails of ${HEAD}, green`);
    // Bars of every layer are of the sum, and say so.
    expect(view.page.find(".cw-panel-pixel .cw-label").textContent).toContain("bars: sum of colours");
  });

  it("cannot be chosen where there is none, and why is told", async () => {
    view.open({ layer: LAYER, channel: "red" });
    await view.settle();
    expect(button("red").disabled).toBe(true);
    expect(button("red").title).toContain("does not follow");
    expect(button("sum").getAttribute("aria-pressed")).toBe("true");
    const group = view.page.find('[data-testid="channel"]');
    const reason = view.page.find(`#${group.getAttribute("aria-describedby")}`);
    expect(reason.hidden).toBe(false);
    expect(reason.textContent).toContain("does not follow");
    expect((view.model.last("map").body as MapRequest).selection.channel).toBeUndefined();
  });

  it("is let go with the layer that had it", () => {
    view.open({ layer: HEAD, neuron: [3, 1], channel: "blue" });
    view.key("[");
    expect(view.model.get("layer")).not.toBe(HEAD);
    expect(view.model.get("channel")).toBe("sum");
  });
});
