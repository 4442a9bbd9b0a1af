// The program of a saved page: the same view as in a notebook, on answers that lie in the page.
import type { AnyModel } from "@anywidget/types";
import widget from "../index";
import type { Traits } from "../store";
import { Answers, type SavedPage } from "./answers";
import { PageModel } from "./model";
import { Arrays } from "./unpacking";

const page = JSON.parse(document.querySelector("#page")?.textContent ?? "") as SavedPage;
const texts = document.querySelectorAll(".cw-data");
const answers = new Answers(page, new Arrays(page.arrays, (index) => texts[index]?.textContent ?? ""));
const model = new PageModel({ ...page.state, _canvas: page.info }, (body) => answers.answer(body));
const el = document.querySelector<HTMLElement>("#canvas");
// For who looks into the page: its traits, and what it answers.
Object.assign(window, { canvaswidget: { model, answers } });
if (el) widget.render({ model: model as unknown as AnyModel<Traits>, el });
