// Exports that the kernel makes: figures, the data behind the view, animations, the live view as a page. The page saves the file it gets.

import { ready, stateOf } from "../state/store";
import { type PANELS, TABLES } from "../transport/constants";
import type { ExportRequest, Form } from "../transport/messages";
import { h, write } from "../ui/dom";
import { download } from "../ui/export_png";
import type { View } from "../ui/view";

type Say = (message: string, kind?: "note" | "error") => void;

const TYPES: Record<Form, string> = {
  png: "image/png",
  pdf: "application/pdf",
  svg: "image/svg+xml",
  npz: "application/zip",
  csv: "text/csv",
  mp4: "video/mp4",
  gif: "image/gif",
  html: "text/html",
};
/** What one sends to somebody comes first. */
const PANEL_NAMES: Record<"" | (typeof PANELS)[number], string> = {
  frame: "this frame",
  "": "all panels",
  pixel: "the pixel's neurons",
  maps: "their maps",
  region: "the region's neurons",
  spectrum: "spectrum",
  shares: "the pixel's shares",
  neurons: "the layer's neurons",
  time: "time",
  scatter: "scatter",
};

export function createExportItems({ session, effect }: View, say: Say, close: () => void): HTMLElement {
  const { store, client } = session;
  const ask = (form: Form, more: Partial<ExportRequest> = {}) => {
    const info = store._canvas.peek();
    const [first, last] = store.loop.peek() ?? [0, ready(info) ? info.n_frames - 1 : 0];
    close();
    client.ask(
      "export",
      {
        kind: "export",
        state: stateOf(store),
        form,
        panels: [],
        table: "pixel",
        first: first ?? 0,
        last: last ?? 0,
        ...more,
      },
      {
        reply({ name }, data) {
          download(new Blob([data as Uint8Array<ArrayBuffer>], { type: TYPES[form] }), name);
          say(`saved ${name}`);
        },
        failed: (message) => say(message, "error"),
      },
    );
  };
  const choice = (label: string, names: Record<string, string>) =>
    h(
      "select",
      { class: "cw-select", "aria-label": label },
      ...Object.entries(names).map(([value, text]) => h("option", { value }, text)),
    );
  const [panel, table] = [
    choice("Panel of the figure", PANEL_NAMES),
    choice("Table", Object.fromEntries(TABLES.map((table) => [table, table]))),
  ];
  const button = (form: Form, what: string, click: () => void) =>
    h(
      "button",
      {
        class: "cw-button",
        type: "button",
        "aria-label": `${form.toUpperCase()}: ${what}`,
        "data-testid": `export-${form === "png" ? "figure-png" : form}`,
        on: { click },
      },
      form.toUpperCase(),
    );
  const figures = (["pdf", "svg", "png"] as const).map((form) =>
    button(form, "a figure", () => ask(form, { panels: panel.value ? [panel.value] : [] })),
  );
  const animations = (["mp4", "gif"] as const).map((form) => button(form, "an animation", () => ask(form)));
  const span = h("span", { class: "cw-muted" });
  const row = (name: string, ...parts: HTMLElement[]) =>
    h("div", { class: "cw-export-row" }, h("span", { class: "cw-name" }, name), ...parts);
  const animation = row("animation", span, ...animations);
  const element = h(
    "div",
    { class: "cw-export-items" },
    row("figure", panel, ...figures),
    row(
      "data",
      table,
      button("csv", "a table", () => ask("csv", { table: table.value })),
      button("npz", "all arrays", () => ask("npz")),
    ),
    animation,
    row(
      "page",
      h("span", { class: "cw-muted" }, "works without a kernel"),
      button("html", "the live view as one page", () => ask("html")),
    ),
  );
  effect(() => {
    const info = store._canvas.value;
    // A saved page has no kernel, and offers no rules.
    element.hidden = !ready(info) || info.rules.length === 0;
    animation.hidden = !ready(info) || info.n_frames < 2;
    const [first = 0, last = 0] = store.loop.value ?? [0, ready(info) ? info.n_frames - 1 : 0];
    write(span, `frames ${first}–${last}`);
  });
  return element;
}

/** Shown while a file is being made. */
export function createExportCancel({ session: { client }, effect }: View): HTMLButtonElement {
  const button = h(
    "button",
    {
      class: "cw-button",
      type: "button",
      hidden: true,
      "data-testid": "export-cancel",
      on: { click: () => client.drop("export") },
    },
    "cancel",
  );
  effect(() => {
    button.hidden = !client.activity.value.some(({ view }) => view === "export");
  });
  return button;
}
