import { describe, expect, it } from "vitest";
import { BAKED, labelsOf } from "./baked";
import { LAYER, painted } from "./page";
import { pass, useView } from "./view";

const view = useView();
const chip = (cluster: number) => view.page.find<HTMLButtonElement>(`.cw-chip[data-cluster="${cluster}"]`);
const open = async () => {
  view.open({ neuron: null });
  await view.settle();
  view.page.find("[data-testid=cluster-neurons]").click();
  await view.settle();
};
const rename = (name: string, key: string) => {
  const field = view.page.find<HTMLInputElement>("[data-testid=cluster-name]");
  field.value = name;
  view.key(key, field);
};

describe("clusters", () => {
  it("show an exemplar and their size", async () => {
    await open();
    const map = chip(1).querySelector("canvas") as HTMLCanvasElement;
    const answer = BAKED.clusters.find(({ answer }) => answer.layer === LAYER)?.answer;
    expect([map.width, map.height]).toEqual([answer?.width, answer?.height]);
    expect(new Set(painted.get(map)).size).toBeGreaterThan(2);
    const sizes = Array.from({ length: 6 }, (_, i) =>
      Number(chip(i).lastChild?.textContent?.replace(",", "")),
    );
    const labels = await labelsOf(LAYER);
    expect(sizes).toEqual(sizes.map((_, cluster) => labels.filter((label) => label === cluster).length));
    expect(sizes.reduce((a, b) => a + b)).toBe(6 * 16);
  });

  it("take a name, which is theirs everywhere, and give it back", async () => {
    await open();
    chip(1).click();
    await view.settle();
    view.page.find("[data-testid=name-cluster]").click();
    rename("  bright sky ", "Enter");
    await view.settle();
    expect(view.model.get("cluster_names")).toEqual({ [`${LAYER}/6`]: ["", "bright sky", "", "", "", ""] });
    expect(chip(1).getAttribute("aria-label")).toMatch(/^bright sky, \d+ neurons/);
    expect(view.page.find("[data-testid=cluster-label]").textContent).toBe("bright sky");
    for (const panel of ["frame", "neurons", "time"])
      expect(view.page.find(`[data-panel=${panel}] .cw-label`).textContent).toContain("bright sky");
    view.page.find("[data-testid=name-cluster]").click();
    rename("", "Enter");
    expect(view.page.find("[data-testid=cluster-label]").textContent).toBe("1");
  });

  it("keep their name when the editing is given up", async () => {
    await open();
    chip(2).dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    rename("nothing", "Escape");
    pass();
    expect(view.model.get("cluster_names")).toEqual({});
    expect(view.model.get("cluster")).toBe(2);
  });

  it("are named from Python too", async () => {
    await open();
    view.model.set("cluster_names", { [`${LAYER}/6`]: ["ground"] });
    expect(chip(0).textContent).toContain("ground");
  });
});
