// The export menu: what it asks for, what it saves, and how it is stopped.
import { beforeEach, describe, expect, it, vi } from "vitest";
import { state } from "./page";
import { useView } from "./view";

const view = useView();
const part = (name: string) => view.page.find(`[data-testid=${name}]`);
const root = () => view.page.find(".cw-root");

function open(changes: Record<string, unknown> = {}): void {
  view.open(changes);
  view.settle();
}

const saved: { name: string; type: string }[] = [];

beforeEach(() => {
  saved.length = 0;
  vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => {
    saved.push({ name: "", type: (blob as Blob).type });
    return "blob:made";
  });
  vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => {});
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    const last = saved.at(-1);
    if (last) last.name = this.download;
  });
});

describe("the export menu", () => {
  it("asks for figures, tables and films, and saves what comes", () => {
    open({ loop: [2, 5] });
    const { model } = view;
    part("export-pdf").click();
    expect(model.last("export").body).toMatchObject({ form: "pdf", panels: [] });
    model.reply(model.last("export"));
    expect(saved.at(-1)).toEqual({ name: "view.pdf", type: "application/pdf" });
    const [panel, table] = root().querySelectorAll<HTMLSelectElement>(".cw-export-items select");
    if (!panel || !table) throw new Error("no selects");
    panel.value = "time";
    part("export-svg").click();
    expect(model.last("export").body).toMatchObject({ form: "svg", panels: ["time"] });
    model.reply(model.last("export"));
    table.value = "neurons";
    part("export-csv").click();
    expect(model.last("export").body).toMatchObject({ form: "csv", table: "neurons" });
    model.reply(model.last("export"));
    part("export-mp4").click();
    expect(model.last("export").body).toMatchObject({ form: "mp4", first: 2, last: 5 });
  });

  it("tells how far it has come, and stops", () => {
    open();
    const { model } = view;
    const cancel = part("export-cancel");
    expect(cancel.hidden).toBe(true);
    part("export-mp4").click();
    const { id } = model.last("export");
    expect(cancel.hidden).toBe(false);
    model.say({ type: "progress", id, done: 3, total: 16 });
    expect(part("status").textContent).toBe("computing the MP4 · 3 / 16");
    cancel.click();
    expect(model.cancels()).toContain(id);
    model.say({ type: "cancelled", id });
    expect(cancel.hidden).toBe(true);
    expect(saved).toEqual([]);
  });

  it("says what went wrong", () => {
    open();
    const { model } = view;
    part("export-npz").click();
    model.say({ type: "error", id: model.last("export").id, message: "no room" });
    expect(part("status").textContent).toBe("no room");
  });

  it("has no films of an image, and nothing where there is no kernel", () => {
    const base = state();
    const canvas = base._canvas as Record<string, unknown>;
    open({ _canvas: { ...canvas, n_frames: 1 }, time: 0 });
    expect(part("export-mp4").closest<HTMLElement>(".cw-export-row")?.hidden).toBe(true);
    view.page.close();
    open({ _canvas: { ...canvas, rules: [] } });
    expect(root().querySelector<HTMLElement>(".cw-export-items")?.hidden).toBe(true);
  });
});
