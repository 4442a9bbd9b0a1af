// The saved page's model under the view, on a page that Python saved (`python -m tools.development_page`):
// `index.html?theme=dark&width=900&fail=grid,map&silent=curve&delay=1&views=2&preparing`, and any trait: `maps=signed`.
// With `fixture`, on the tiny network of the tests, which answers what a saved page refuses: rules, scatter, ablation.
import type { AnyModel } from "@anywidget/types";
import widget from "../src/index";
import { BakedRuns, followRuns, infoOf } from "../src/page/baked_runs";
import { PageModel } from "../src/page/model";
import type { Answered, SavedPage } from "../src/page/saved_page";
import { Arrays } from "../src/page/unpacking";
import { DEFAULTS, type Traits } from "../src/state/traits";
import type { Body, CanvasInfo } from "../src/transport/messages";
import { answerTo, CANVAS, PAGE } from "../test/fixture";

const query = new URLSearchParams(location.search);
const list = (name: string) => new Set((query.get(name) ?? "").split(",").filter(Boolean));
const asNumber = (name: string, otherwise: number) => Number(query.get(name) ?? otherwise);
const [failing, silent, delay] = [list("fail"), list("silent"), asNumber("delay", 0)];

document.documentElement.dataset.theme = query.get("theme") ?? "light";
const place = document.querySelector<HTMLElement>("#page");
if (place) place.style.width = `${asNumber("width", 1200)}px`;

interface Opened {
  page: SavedPage;
  canvas: CanvasInfo | undefined;
  answerTo(body: Body): Promise<Answered>;
}

async function openSaved(): Promise<Opened> {
  const saved = new DOMParser().parseFromString(await (await fetch("out/page.html")).text(), "text/html");
  const page = JSON.parse(saved.querySelector("#page")?.textContent ?? "") as SavedPage;
  const texts = saved.querySelectorAll(".cw-data");
  const answers = new BakedRuns(page, new Arrays(page.arrays, (index) => texts[index]?.textContent ?? ""));
  return { page, canvas: infoOf(page, page.state.run), answerTo: (body) => answers.answer(body) };
}

const opened: Opened = query.has("fixture") ? { page: PAGE, canvas: CANVAS, answerTo } : await openSaved();

/** As the page answers, but as late as asked for, with an error, or never. */
async function answer(body: Body): Promise<Answered> {
  if (silent.has(body.kind)) return new Promise(() => {});
  await new Promise((done) => setTimeout(done, delay));
  if (failing.has(body.kind)) throw new Error(`${body.kind} fails, as the address asks for`);
  return opened.answerTo(body);
}

/** The traits in the address: as JSON where they are, else as text. */
function traitsOf(names: string[]): Record<string, unknown> {
  const given = names.filter((name) => query.has(name)).map((name) => [name, query.get(name) ?? ""] as const);
  const read = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  };
  return Object.fromEntries(given.map(([name, text]) => [name, read(text)]));
}

const _canvas = query.has("preparing") ? {} : opened.canvas;
const model = new PageModel(
  { ...DEFAULTS, ...opened.page.state, _canvas, ...traitsOf(Object.keys(DEFAULTS)) },
  answer,
);
followRuns(model, opened.page);
Object.assign(window, { model, answerTo: opened.answerTo });
const typed = model as unknown as AnyModel<Traits>;
widget.initialize({ model: typed });
for (let i = 0; i < asNumber("views", 1); i++) {
  const el = document.createElement("div");
  place?.append(el);
  widget.render({ model: typed, el });
}
