// The export menu: what it asks for, what it saves, and how it is stopped.
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ExportRequest } from "../src/transport/messages";
import { state } from "./page";
import { useView } from "./view";

const view = useView();
const part = (name: string) => view.page.find(`[data-testid=${name}]`);
const root = () => view.page.find(".cw-root");

async function open(changes: Record<string, unknown> = {}) {
  view.open(changes);
  await view.settle();
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

/** A file comes, of the form that was asked for. */
async function arrive(): Promise<void> {
  const request = view.model.last("export");
  const { form } = request.body as ExportRequest;
  await view.model.reply(request, { kind: "export", name: `view.${form}` }, Uint8Array.from([1, 2, 3]));
}

describe("the export menu", () => {
  it("asks for figures, tables and films, and saves what comes", async () => {
    await open({ loop: [2, 5] });
    const { model } = view;
    part("export-pdf").click();
    // What one sends to somebody comes first.
    expect(model.last("export").body).toMatchObject({ form: "pdf", panels: ["frame"] });
    await arrive();
    expect(saved.at(-1)).toEqual({ name: "view.pdf", type: "application/pdf" });
    for (let i = 0; i < 40; i++) await view.settle(); // on a slow machine, too, somebody can read it
    expect(part("status").textContent).toBe("saved view.pdf");
    view.key("Shift");
    expect(part("status").textContent).toBe("ready");
    const [panel, table] = root().querySelectorAll<HTMLSelectElement>(".cw-export-items select");
    if (!panel || !table) throw new Error("no selects");
    panel.value = "time";
    part("export-svg").click();
    expect(model.last("export").body).toMatchObject({ form: "svg", panels: ["time"] });
    await arrive();
    table.value = "neurons";
    part("export-csv").click();
    expect(model.last("export").body).toMatchObject({ form: "csv", table: "neurons" });
    await arrive();
    part("export-mp4").click();
    expect(model.last("export").body).toMatchObject({ form: "mp4", first: 2, last: 5 });
  });

  it("saves the live view as a page", async () => {
    await open();
    const { model } = view;
    part("export-html").click();
    const { id, body } = model.last("export");
    expect(body).toMatchObject({ form: "html" });
    model.say({ type: "progress", id, done: 3, total: 16 });
    expect(part("status").textContent).toBe("computing the page · 3 / 16");
    await arrive();
    expect(saved.at(-1)).toEqual({ name: "view.html", type: "text/html" });
  });

  it("tells how far it has come, and stops", async () => {
    await open();
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

  it("says what went wrong", async () => {
    await open();
    const { model } = view;
    part("export-npz").click();
    model.say({ type: "error", id: model.last("export").id, message: "no room" });
    expect(part("status").textContent).toBe("no room");
  });

  it("has no films of an image, and nothing where there is no kernel", async () => {
    const base = state();
    const canvas = base._canvas as Record<string, unknown>;
    await open({ _canvas: { ...canvas, n_frames: 1 }, time: 0 });
    expect(part("export-mp4").closest<HTMLElement>(".cw-export-row")?.hidden).toBe(true);
    view.page.close();
    await open({ _canvas: { ...canvas, rules: [] } });
    expect(root().querySelector<HTMLElement>(".cw-export-items")?.hidden).toBe(true);
  });
});
