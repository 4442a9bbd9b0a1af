// The program of a saved page: the same view as in a notebook, on answers that lie in the page.
import type { AnyModel } from "@anywidget/types";
import widget from "../index";
import type { Traits } from "../state/traits";
import { BakedRuns, followRuns, infoOf } from "./baked_runs";
import { PageModel } from "./model";
import type { SavedPage } from "./saved_page";
import { Arrays } from "./unpacking";

const place = document.querySelector<HTMLElement>("#canvas");
try {
  if (place) open(place);
} catch (error) {
  const said = error instanceof Error ? error.message : String(error);
  // A file that lost bytes in the middle: an empty page would say nothing.
  if (place) place.textContent = `This page is damaged: get it again, or export it again. (${said})`;
  throw error;
}

function open(el: HTMLElement): void {
  const page = JSON.parse(document.querySelector("#page")?.textContent ?? "") as SavedPage;
  const texts = document.querySelectorAll(".cw-data");
  if (texts.length !== page.arrays.length)
    throw new Error(`it has ${texts.length} of ${page.arrays.length} arrays`);
  const answers = new BakedRuns(page, new Arrays(page.arrays, (index) => texts[index]?.textContent ?? ""));
  const _canvas = infoOf(page, page.state.run);
  const model = new PageModel({ ...page.state, _canvas }, (body) => answers.answer(body));
  followRuns(model, page);
  // For who looks into the page: its traits, and what it answers.
  Object.assign(window, { canvaswidget: { model, answers } });
  widget.render({ model: model as unknown as AnyModel<Traits>, el });
}
