import { describe, expect, it, vi } from "vitest";
import { CANVAS } from "./fixture";
import { LAYER, NEURON, NEXT, painted, state } from "./page";
import { pass, useView } from "./view";

const view = useView();

describe("keys", () => {
  it("step frames and layers, play, clear, and stay in the widget", async () => {
    view.open();
    await view.settle();
    const heard = vi.fn();
    document.body.addEventListener("keydown", heard);
    expect(view.key("ArrowRight").defaultPrevented).toBe(true);
    expect(view.model.get("time")).toBe(3);
    view.key("ArrowLeft");
    view.key("ArrowLeft");
    expect(view.model.get("time")).toBe(1);
    view.key(" ");
    expect(view.model.get("playing")).toBe(true);
    view.key(" ");
    expect(view.model.get("playing")).toBe(false);
    view.key("Escape");
    expect(view.model.get("neuron")).toBeNull();
    view.key("]");
    expect(view.model.get("layer")).toBe(NEXT);
    view.key("[");
    expect(view.model.get("layer")).toBe(LAYER);
    view.key("ArrowDown", undefined, { shiftKey: true });
    expect(view.model.get("pixel")).toEqual([8, 16]);
    expect(heard).not.toHaveBeenCalled();
    view.key("s", undefined, { ctrlKey: true });
    expect(heard).toHaveBeenCalledTimes(1);
    document.body.removeEventListener("keydown", heard);
  });

  it("find a neuron of another layer when it is named, and say at the field what is wrong", async () => {
    view.open();
    await view.settle();
    const search = view.page.find<HTMLInputElement>("[data-testid=search]");
    const problem = view.page.find(".cw-search-problem");
    const find = (text: string) => {
      search.value = text;
      search.dispatchEvent(new Event("input", { bubbles: true }));
      view.key("Enter", search);
      pass();
    };
    const next = CANVAS.layers.find(({ name }) => name === NEXT);
    const neuron = next?.neurons.map(() => 1) ?? [];
    find(`${NEXT} ${neuron.join(" ")}`);
    expect([view.model.get("layer"), view.model.get("neuron")]).toEqual([NEXT, neuron]);
    expect(problem.hasAttribute("data-shown")).toBe(false);
    find("decoder 0,0");
    expect(problem.textContent).toBe('There is no one layer like "decoder"');
    expect(problem.hasAttribute("data-shown")).toBe(true);
    find(next?.neurons.map(() => 999).join(",") ?? "");
    expect(problem.textContent).toContain(`of ${NEXT}; of another layer: its name first`);
    search.dispatchEvent(new Event("blur"));
    expect(problem.hasAttribute("data-shown")).toBe(false);
  });

  it("leave the arrows to a slider and letters to the search field", async () => {
    view.open();
    await view.settle();
    view.key("ArrowRight", view.page.find("[data-testid=layer]"));
    view.key("]", view.page.find(".cw-search"));
    expect([view.model.get("time"), view.model.get("layer")]).toEqual([2, LAYER]);
  });

  it("open and close the help", () => {
    view.open();
    view.key("?");
    expect(view.page.find(".cw-help").hasAttribute("open")).toBe(true);
    view.key("Escape");
    expect(view.page.find(".cw-help").hasAttribute("open")).toBe(false);
    expect(view.model.get("neuron")).toEqual(NEURON);
  });
});

describe("the first steps", () => {
  it("stay until the first click has ended, which nothing may move away from, or until a key", async () => {
    const steps = () => view.page.find(".cw-said").hasAttribute("data-coach");
    view.open();
    await view.settle();
    view.pointer("pointerdown", view.page.find("[data-testid=tool-box]"), 5, 5, 1);
    expect(steps()).toBe(true);
    view.page.find("[data-testid=tool-box]").click();
    expect(steps()).toBe(false);
  });
});

describe("life", () => {
  it("prepares until Python has described the canvas", async () => {
    view.open({ _canvas: {} });
    expect(view.page.find(".cw-root").dataset.ready).toBe("false");
    expect(view.page.find("[data-testid=status]").textContent).toBe("preparing the canvas");
    expect(view.model.requests().map(({ body }) => body.kind)).toEqual(["palettes"]);
    view.model.set("_canvas", state()._canvas);
    await view.settle();
    expect(view.page.find(".cw-root").dataset.ready).toBe("true");
    expect(view.page.find(".cw-panel-frame").dataset.state).toBe("ready");
  });

  it("asks the kernel for nothing while no view is on the page", async () => {
    view.open();
    await view.settle();
    const again = view.page.again();
    await view.settle();
    const remove = () => {
      again.remove();
      view.page.remove();
    };
    remove();
    const asked = view.model.requests().length;
    for (const time of [4, 5, 6, 7]) {
      view.model.set("time", time);
      pass(500);
    }
    view.model.set("pixel", [2, 2]);
    view.model.set("neuron", [5, 9]);
    pass(2000);
    expect(view.model.requests()).toHaveLength(asked);
    const back = view.page.again();
    await view.settle();
    expect(back.el.querySelector<HTMLElement>(".cw-frame-canvas")?.dataset).toMatchObject({
      time: "7",
      selection: `${LAYER}/5,9`,
    });
    back.remove();
  });

  it("forgets maps but not frames under another rule", async () => {
    view.open();
    await view.settle();
    const before = { map: view.model.requests("map").length, frame: view.model.requests("frame").length };
    view.model.useRule("gated");
    pass();
    expect(view.model.requests("map").length).toBeGreaterThan(before.map);
    expect(view.model.requests("frame").length).toBe(before.frame);
  });

  it("keeps two views of one model in step over one set of requests", async () => {
    view.open();
    // As Jupyter does: every call gets its own wrapper of the view.model.
    const again = view.page.again();
    await view.settle();
    expect(view.model.requests("palettes")).toHaveLength(1);
    view.page.find<HTMLElement>(".cw-thumb[data-neuron]").click();
    await view.settle();
    const chosen = (view.model.get("neuron") as number[]).join(",");
    expect(chosen).not.toBe(String(NEURON));
    for (const root of [view.page.el, again.el])
      expect(root.querySelector<HTMLElement>(".cw-frame-canvas")?.dataset.selection).toBe(
        `${LAYER}/${chosen}`,
      );
    const asked = view.model.requests("map").map(({ body }) => JSON.stringify(body));
    expect(new Set(asked).size).toBe(asked.length);
    again.remove();
    view.model.set("neuron", [0, 0]);
    await view.settle();
    expect(view.page.find<HTMLElement>(".cw-frame-canvas").dataset.selection).toBe(`${LAYER}/0,0`);
  });

  it("keeps the last picture when the kernel has gone", async () => {
    view.open();
    await view.settle();
    vi.spyOn(view.model, "send").mockImplementation(() => {
      throw new Error("Kernel is dead");
    });
    view.model.set("neuron", [0, 5]);
    pass(300);
    expect(view.page.find("[data-testid=status]").textContent).toBe("The kernel is gone: run the cell again");
    expect(view.page.find("[data-testid=status]").dataset.kind).toBe("error");
    expect(painted.get(view.page.find<HTMLCanvasElement>(".cw-frame-canvas"))).toBeDefined();
  });

  it("plays through the clip in the page", async () => {
    view.open({ fps: 10 });
    await view.settle();
    view.model.set("playing", true);
    const times = new Set<unknown>();
    for (let i = 0; i < 200; i++) {
      pass(20);
      await view.model.settle();
      times.add(view.model.get("time"));
    }
    expect([...times].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("leaves nothing behind", async () => {
    view.open();
    await view.settle();
    view.page.close();
    expect(view.page.el.childElementCount).toBe(0);
    const sent = view.model.sent.length;
    view.model.set("time", 5);
    view.model.set("neuron", [1, 1]);
    pass(5000);
    expect(view.model.sent.length).toBe(sent);
  });
});
