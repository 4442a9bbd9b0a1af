import { describe, expect, it } from "vitest";
import { at, scatterOf } from "./scatter_view";
import { pass, useView } from "./view";

const view = useView();
const { stage, open } = scatterOf(view);

describe("lasso by keyboard", () => {
  const said = () => view.page.find("[data-testid=lasso-said]").textContent;
  const walk = (name: string, times: number, shiftKey = false) => {
    for (let i = 0; i < times; i++) view.key(name, stage(), { shiftKey });
  };
  /** A start on the neuron at (0.5, 0.5): 32 CSS pixels are 0.105 across and 0.222 up. */
  const begin = async () => {
    await open();
    view.pointer("pointermove", stage(), ...at(0.5, 0.5));
    view.key("l", stage());
  };

  it("selects what is inside of the corners that arrows and space set", async () => {
    await begin();
    expect(said()).toContain("space sets a corner");
    walk("ArrowLeft", 1, true);
    walk("ArrowDown", 2, true);
    view.key(" ", stage());
    expect(stage().dataset.lasso).toBe("1");
    walk("ArrowRight", 3, true);
    view.key(" ", stage());
    walk("ArrowUp", 4, true);
    expect(said()).toBe("2 corners · 1 inside"); // with the crosshair as the third
    view.key(" ", stage());
    walk("ArrowLeft", 3, true);
    expect(said()).toBe("3 corners · 3 inside");
    view.key(" ", stage());
    view.key("Enter", stage());
    expect(view.model.get("neurons")).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
    ]);
    expect(view.page.find("[data-testid=status]").textContent).toBe("selected 3 neurons");
    expect([said(), stage().dataset.lasso]).toEqual(["", undefined]);
    expect(view.model.get("time")).toBe(2); // its keys are not those of time
  });

  it("names the neuron at its crosshair, takes corners back, and ends without a change", async () => {
    await begin();
    const before = view.model.get("neurons");
    expect(said()).toContain("at 0→0");
    view.key(" ", stage());
    walk("ArrowRight", 1);
    view.key(" ", stage());
    view.key("Backspace", stage());
    expect(stage().dataset.lasso).toBe("1");
    view.key("Enter", stage());
    expect(view.page.find("[data-testid=status]").textContent).toContain("three corners");
    expect(stage().dataset.lasso).toBe("1");
    view.key("Escape", stage());
    expect([stage().dataset.lasso, view.model.get("neurons")]).toEqual([undefined, before]);
    view.key("ArrowRight", stage()); // arrows go from neuron to neuron again
    expect(view.page.find(".cw-tip").hidden).toBe(false);
  });

  it("goes a little beyond the outermost neurons, not farther, and moves a zoomed plane along", async () => {
    await begin();
    for (const name of ["ArrowLeft", "ArrowDown"]) walk(name, 40, true);
    view.key(" ", stage()); // beyond the neurons at (0.01, 0.01)
    walk("ArrowRight", 2, true);
    view.key(" ", stage());
    walk("ArrowUp", 2, true);
    view.key(" ", stage());
    view.key("Enter", stage());
    expect((view.model.get("neurons") as number[][])[0]).toEqual([0, 3]);
    view.page.find("[data-testid=scatter-zoom-in]").click();
    view.page.find("[data-testid=scatter-zoom-in]").click();
    view.key("l", stage());
    walk("ArrowRight", 40, true);
    walk("ArrowUp", 40, true);
    view.key("Escape", stage());
    const click = (type: string) => view.pointer(type, stage(), ...at(0.5, 0.5));
    click("pointermove"); // the plane's upper right corner: no neuron
    expect(view.page.find(".cw-tip").hidden).toBe(true);
  });

  it("ends when the points go elsewhere", async () => {
    await begin();
    view.key(" ", stage());
    const select = view.page.find<HTMLSelectElement>("[data-testid=embedding]");
    select.value = "tsne";
    select.dispatchEvent(new Event("change"));
    pass();
    expect(stage().dataset.lasso).toBeUndefined();
  });
});
