import { describe, expect, it } from "vitest";
import type { FrameReply } from "../src/transport/messages";
import { answerTo, CANVAS } from "./fixture";
import { painted } from "./page";
import { pass, useView } from "./view";

const view = useView();

const part = (name: string) => view.page.find<HTMLElement>(`[data-testid=${name}]`);
const button = () => view.page.find<HTMLButtonElement>('.cw-panel-frame [data-value="quantisation"]');
const slider = () => view.page.find<HTMLInputElement>("[data-testid=bits]");
const pixels = () => [...(painted.get(view.page.find<HTMLCanvasElement>(".cw-frame-canvas")) ?? [])];

async function open(changes: Record<string, unknown> = {}) {
  view.open(changes);
  await view.settle();
}

function lastBody() {
  return view.model.last("frame").body;
}

describe("what quantised weights lose", () => {
  it("is a source of the frame, in grey, with its PSNR and its scale", async () => {
    await open();
    expect(part("quantisation-bar").hidden).toBe(true);
    button().click();
    await view.settle();
    expect(lastBody()).toEqual({
      kind: "frame",
      run: null,
      time: 2,
      source: "quantisation",
      quantised: { bits: 4, scheme: "per-tensor" },
    });
    expect(part("quantisation-bar").hidden).toBe(false);
    const { answer, data } = await answerTo(lastBody());
    const { psnr, psnr_before, high } = answer as FrameReply;
    expect(part("quantisation-psnr").textContent).toBe(
      `${psnr?.toFixed(1)} dB, was ${psnr_before?.toFixed(1)} dB`,
    );
    // Without the map over it, every pixel is the grey of its level.
    const levels = pixels().filter((_, i) => i % 4 === 0);
    expect(levels).toEqual([...data]);
    expect(part("colourbar").classList.contains("cw-hidden")).toBe(false);
    expect(part("colourbar").textContent).toContain(high.toPrecision(3).replace(/0+$/, ""));
    const label = view.page.find(".cw-panel-frame .cw-label").textContent;
    expect(label).toContain("lost at 4 bits");
    part("quantisation-cover").click();
    await view.settle();
    expect(pixels().filter((_, i) => i % 4 === 0)).not.toEqual(levels);
  });

  it("asks for the bits and the scheme that are chosen", async () => {
    await open({ source: "quantisation" });
    slider().value = "3";
    slider().dispatchEvent(new Event("input"));
    slider().dispatchEvent(new Event("change"));
    await view.settle();
    expect(view.model.get("bits")).toBe(3);
    expect(lastBody()).toMatchObject({ quantised: { bits: 3, scheme: "per-tensor" } });
    expect(slider().getAttribute("aria-valuetext")).toBe("3 bits");
    view.page.find<HTMLButtonElement>('[data-value="per-channel"]').click();
    await view.settle();
    expect(view.model.get("scheme")).toBe("per-channel");
    expect(lastBody()).toMatchObject({ quantised: { bits: 3, scheme: "per-channel" } });
    slider().value = "1";
    slider().dispatchEvent(new Event("input"));
    await view.settle();
    expect(slider().getAttribute("aria-valuetext")).toBe("1 bit");
  });

  it("is not offered where there are no weights, and says which layers stay as they are", async () => {
    const why_not = "a saved canvas does not contain the weights";
    await open({ _canvas: { ...CANVAS, quantisation: { why_not, left_out: {} } } });
    expect(button().hidden).toBe(true);
    view.model.set("_canvas", { ...CANVAS, quantisation: { why_not: "", left_out: { stem: "a buffer" } } });
    await view.settle();
    expect(button().hidden).toBe(false);
    expect(part("bits").closest("label")?.title).toContain("stem stays as it is: a buffer");
  });

  it("is compared with the original where there is no truth", async () => {
    await open({ source: "quantisation" });
    const { psnr } = (await answerTo(lastBody())).answer as FrameReply;
    view.model.set("bits", 5);
    pass();
    await view.model.reply(view.model.last("frame"), { psnr_before: null });
    pass(50);
    expect(part("quantisation-psnr").textContent).toBe(`${psnr?.toFixed(1)} dB to the original`);
  });
});
