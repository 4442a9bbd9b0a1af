// The words of the widget: each is explained in a sentence, in the documents too, and can be read by mouse and keyboard.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DOCUMENTATION } from "../src/transport/constants";
import { linkOf, TERMS, type Term } from "../src/ui/terms";
import { NEURON } from "./page";
import { useView } from "./view";

const ALL = Object.keys(TERMS) as Term[];
const DOCS = join(import.meta.dirname, "../../docs");

/** As Python-Markdown's `toc` makes it from a heading. */
function slug(heading: string): string {
  const plain = heading.normalize("NFKD").replace(/[^\p{ASCII}]/gu, "");
  return plain
    .replace(/[^\w\s-]/g, "")
    .trim()
    .toLowerCase()
    .replace(/[-\s]+/g, "-");
}

/** The first line of each section of a page, by its anchor. */
function sections(page: string): Map<string, string> {
  const parts = page.split(/^## /m).slice(1);
  return new Map(parts.map((part) => [slug(part.slice(0, part.indexOf("\n"))), part.split("\n")[2] ?? ""]));
}

describe("a term", () => {
  it.each(ALL)("is explained by the documents where it links to: %s", (term) => {
    const [path, anchor] = linkOf(term).slice(DOCUMENTATION.length).split("/#");
    expect(linkOf(term).startsWith(DOCUMENTATION)).toBe(true);
    const file = join(DOCS, `${path}.md`);
    expect(existsSync(file), file).toBe(true);
    // The section begins with the tooltip's sentence: a word means the same in both.
    expect(sections(readFileSync(file, "utf8")).get(anchor ?? "")).toBe(TERMS[term]);
  });

  it.each(ALL)("is one sentence: %s", (term) => expect(TERMS[term]).toMatch(/^[A-Z][^.]*\.$/));

  it("has no section without it in the documents", () => {
    const page = readFileSync(join(DOCS, "terms.md"), "utf8");
    expect([...sections(page).keys()]).toEqual(ALL.map((term) => linkOf(term).split("#")[1]));
  });
});

describe("in the widget", () => {
  const view = useView();
  const card = () => view.page.find(".cw-term-card");
  const over = (element: Element) =>
    element.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, composed: true }));
  const open = async () => {
    view.open({ pixel: [3, 4] });
    await view.settle();
  };
  const found = (term: string) => view.page.find(`[data-term="${term}"]`);
  afterEach(() => vi.restoreAllMocks());

  it("each stands in the help with its sentence and its link", async () => {
    await open();
    view.key("?");
    const list = view.page.find("[data-testid=words]");
    expect([...list.querySelectorAll("dt")].map(({ textContent }) => textContent)).toEqual(ALL);
    const links = [...list.querySelectorAll("a")].map(({ href }) => href);
    expect(links).toEqual(ALL.map(linkOf));
    for (const term of ALL) expect(list.textContent).toContain(TERMS[term]);
  });

  it("is marked on its label", async () => {
    await open();
    for (const term of [
      "layer", "frame", "cluster", "rule", "xinc", "overlay", "colour", "map", "magnitude", "signed", "palette",
      "opacity", "contrast", "reconstruction", "truth", "error", "PSNR", "neuron", "kernel", "total", "one scale",
      "scatter", "contribution", "share", "50 % by", "90 % by", "change", "ablated", "quantised",
    ]) // biome-ignore format: one line a term is too many
      expect(found(term).dataset.term, term).toBe(term);
    expect(found("xinc").getAttribute("aria-description")).toContain(TERMS.xinc);
  });

  it("shows its card under the pointer, which may go to the link", async () => {
    await open();
    over(found("cluster"));
    vi.advanceTimersByTime(1000);
    expect(card().hidden).toBe(false);
    expect(card().textContent).toContain(TERMS.cluster);
    expect(card().querySelector("a")?.href).toBe(linkOf("cluster"));
    over(view.page.find(".cw-panels"));
    vi.advanceTimersByTime(100);
    over(card());
    vi.advanceTimersByTime(1000);
    expect(card().hidden).toBe(false);
    over(view.page.find(".cw-panels"));
    vi.advanceTimersByTime(1000);
    expect(card().hidden).toBe(true);
  });

  it("loses its card to Escape, which does nothing else", async () => {
    await open();
    over(found("layer"));
    vi.advanceTimersByTime(1000);
    view.key("Escape");
    expect(card().hidden).toBe(true);
    expect(view.model.get("neuron")).toEqual(NEURON);
  });

  it("leaves Escape to a dialog that was opened over its card", async () => {
    await open();
    over(found("layer"));
    vi.advanceTimersByTime(1000);
    view.key("?");
    expect(card().hidden).toBe(false);
    view.key("Escape");
    expect([card().hidden, view.page.find<HTMLDialogElement>("[data-testid=help]").open]).toEqual([
      true,
      false,
    ]);
  });

  it("says more where there is more to say", async () => {
    await open();
    over(view.page.find("[data-testid=time-total]"));
    vi.advanceTimersByTime(1000);
    expect(card().textContent).toMatch(
      /^total .*A pixel's magnitude adds the magnitudes of the contributions/,
    );
  });

  it("has its card in a dialog too", async () => {
    await open();
    view.key("r");
    await view.settle();
    const dialog = view.page.find("[data-testid=rules]");
    over(dialog.querySelector('[data-term="gated"]') as Element);
    vi.advanceTimersByTime(1000);
    expect(dialog.contains(card())).toBe(true);
    expect(card().textContent).toContain(TERMS.gated);
  });
});
