// Runs: how they are stepped through, and what stands under the name of which.
import { describe, expect, it } from "vitest";
import { CANVAS } from "./fixture";
import { NEURON, painted } from "./page";
import { info, KINDS, runs, useRuns } from "./runs_view";
import { pass } from "./view";

const { view, open, compared, find, asked } = useRuns();

describe("runs", () => {
  it("are stepped through by slider, keys and clicks, each with requests of its own", async () => {
    open();
    await view.settle();
    expect(find("run-label").textContent).toBe("2400");
    expect(find("frame").dataset.run).toBe("2400");
    view.key(",");
    expect(view.model.get("run")).toBe(500);
    expect(view.model.last("map").body).toMatchObject({ run: 500, rule: "xinc" });
    // The last picture stays until the next is there, under its own label.
    expect(find("frame").dataset.run).toBe("2400");
    await view.settle();
    pass();
    expect(find("frame").dataset.run).toBe("500");
    const slider = view.page.find<HTMLInputElement>('[data-testid="run"]');
    slider.value = "0";
    slider.dispatchEvent(new Event("input"));
    pass();
    expect(view.model.get("run")).toBe(0);
    view.key(",");
    expect(view.model.get("run")).toBe(0);
  });

  it("are a menu where they have names; one with other layers waits for Python", async () => {
    const _runs = runs(false, ["siren", "ffn"]).map((run, group) => ({ ...run, group }));
    view.open({ _runs, _canvas: info("siren"), run: "siren" });
    await view.settle();
    const menu = view.page.find<HTMLSelectElement>('[data-testid="run-menu"]');
    expect([...menu.options].map(({ value }) => value)).toEqual(["siren", "ffn"]);
    const before = view.model.requests().length;
    menu.selectedIndex = 1;
    menu.dispatchEvent(new Event("change"));
    pass();
    expect(view.model.get("run")).toBe("ffn");
    expect(find("status").textContent).toBe("opening ffn");
    expect(
      view.model
        .requests()
        .slice(before)
        .filter(({ body }) => body.kind === "map"),
    ).toEqual([]);
    view.model.assign({ _canvas: { ...info("ffn"), notice: "layer a is not in it: b is shown" } });
    pass();
    expect(view.model.last("map").body).toMatchObject({ run: "ffn" });
    for (let i = 0; i < 8; i++) await view.settle();
    expect(find("status").textContent).toBe("ffn: layer a is not in it: b is shown");
  });

  it("whose weights were replaced are asked about again", async () => {
    open();
    await view.settle();
    const before = asked("frame").length;
    view.model.assign({ _runs: runs().map((run) => ({ ...run, version: 1 })) });
    pass();
    expect(asked("frame").length).toBeGreaterThan(before);
  });

  it("are followed by a curve, of one network's neurons", async () => {
    open();
    await view.settle();
    await view.settle();
    expect(view.page.find(".cw-panel-time .cw-title").textContent).toBe("Time");
    view.page.find<HTMLElement>('.cw-panel-time [data-value="runs"]').click();
    pass();
    await view.settle();
    pass();
    expect(view.model.last("run_curve").body).toMatchObject({ selection: { neuron: NEURON } });
    expect(find("run-curve").dataset).toMatchObject({ done: "3", total: "3" });
    expect(view.page.find(".cw-panel-time .cw-title").textContent).toBe("Runs");
  });

  it("of other networks have no totals of a neuron", async () => {
    open({}, false);
    await view.settle();
    view.page.find<HTMLElement>('.cw-panel-time [data-value="runs"]').click();
    pass();
    await view.settle();
    expect(view.model.last("run_curve").body).toMatchObject({ selection: null });
  });
});

describe("what stands under the name of a run", () => {
  const option = (name: string) =>
    [...view.page.find<HTMLSelectElement>(`[data-testid="${name}"]`).options].map((one) => one.textContent);

  it("is a picture of that run, also while the next one is awaited", async () => {
    compared();
    await view.settle();
    pass();
    expect(find("run-theirs").textContent).toContain("step 500");
    view.model.python({ compare: 0, _compared: info(0) });
    pass();
    expect(find("compared").dataset.run).toBe("500");
    expect(find("run-theirs").textContent).toContain("step 500");
    await view.settle();
    pass();
    expect(find("compared").dataset.run).toBe("0");
    expect(find("run-theirs").textContent).toContain("step 0");
  });

  it("are neurons of a pixel, and maps under every rule, that say so while the next ones are awaited", async () => {
    open({ pixel: [3, 4] });
    await view.settle();
    find("rules-button").click();
    await view.settle();
    const label = () => view.page.find(".cw-panel-pixel .cw-label").textContent;
    const rules = () => view.page.find('[data-testid="rules"] .cw-label').textContent;
    expect(label()).not.toContain("step");
    expect(rules()).toContain("step 2400");
    view.model.python({ run: 500 });
    pass();
    expect(label()).toContain("step 2400");
    expect(rules()).toContain("step 2400");
    await view.settle();
    expect(label()).not.toContain("step");
    expect(rules()).toContain("step 500");
  });

  it("says that it is broken once that is known", () => {
    const named = runs(false, ["siren", "ffn"]);
    view.open({ _runs: named, _canvas: info("siren"), run: "siren" });
    expect(option("run-menu")).toEqual(["siren", "ffn"]);
    view.model.python({ _runs: named.map((run) => (run.key === "ffn" ? { ...run, error: "gone" } : run)) });
    pass();
    expect(option("run-menu")).toEqual(["siren", "ffn (broken)"]);
    expect(option("compare")).toEqual(["no run", "siren", "ffn (broken)"]);
  });

  it("is one of two whose keys are written alike", () => {
    const keys = [1, "1", "–"];
    view.open({ _runs: runs(false, keys), _canvas: info("1"), run: "1", compare: "–", _compared: info("–") });
    const [menu, second] = ["run-menu", "compare"].map((name) =>
      view.page.find<HTMLSelectElement>(`[data-testid="${name}"]`),
    ) as [HTMLSelectElement, HTMLSelectElement];
    expect(menu.selectedIndex).toBe(1);
    expect(second.selectedIndex).toBe(3);
    expect(option("compare")).toEqual(["no run", "1", "1", "–"]);
  });

  it("are bars of the colour that the first run's are of", async () => {
    const layers = CANVAS.layers.map((layer) => ({ ...layer, why_no_colours: "", each_colour: true }));
    compared({ _canvas: { ...info(2400), layers }, _compared: { ...info(500), layers } });
    await view.settle();
    await view.settle();
    pass();
    const others = () => view.page.el.querySelectorAll(".cw-bars .cw-bar[data-other]").length;
    expect(others()).toBeGreaterThan(0);
    view.model.python({ channel: "red" });
    pass(200);
    expect(view.model.last("pixel").body).toMatchObject({ selection: { channel: "red" } });
    await view.model.reply(view.model.last("pixel"), { channel: "red" });
    pass(0);
    expect(others()).toBe(0);
    await view.model.settle(["bars"]);
    pass();
    expect(others()).toBeGreaterThan(0);
  });

  it("is nothing where it has not the colour that the first run's map is of", async () => {
    const layers = CANVAS.layers.map((layer) => ({ ...layer, why_no_colours: "", each_colour: true }));
    const grey = layers.map((layer) => ({ ...layer, why_no_colours: "it is grey" }));
    compared({
      channel: "red",
      _canvas: { ...info(2400), layers },
      _compared: { ...info(500), layers: grey },
    });
    await view.settle();
    pass();
    expect(asked("map").map((body) => "run" in body && body.run)).toEqual([2400]);
    expect(find("compared").dataset.run).toBe("500");
    expect(find("compared").dataset.selection ?? "").toBe("");
    expect(find("compared-said").textContent).toBe("no red there: it is grey");
  });

  it("is painted anew with other weights", async () => {
    compared();
    const answer = async (level: number) => {
      for (let i = 0; i < 12; i++) {
        for (const request of view.model.requests("thumbnails")) {
          const { body } = request;
          if (body.kind === "thumbnails")
            await view.model.reply(request, {}, new Uint8Array(1e6).fill(level));
        }
        await view.model.settle(KINDS);
        pass(200);
      }
    };
    const pixel = () => {
      const second = view.page.find<HTMLCanvasElement>(".cw-thumb[data-second] .cw-thumb-second");
      return [...(painted.get(second)?.subarray(0, 3) ?? [])];
    };
    await answer(10);
    const before = pixel();
    view.model.python({ _runs: runs().map((run) => ({ ...run, version: 1 })) });
    await answer(250);
    expect(before).toHaveLength(3);
    expect(pixel()).not.toEqual(before);
  });
});
