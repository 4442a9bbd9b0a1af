// The kernel of the tests: a saved page of a tiny network and what a kernel answers beside it, both written by
// `python -m tools.page_fixture`.
import { BakedRuns } from "../src/page/baked_runs";
import type { Answered, SavedPage } from "../src/page/saved_page";
import { Arrays } from "../src/page/unpacking";
import type { Answer, Body, CanvasInfo } from "../src/transport/messages";
import { same } from "../src/transport/same";
import file from "./fixture.json";

interface Fixture {
  /** The canvas as a kernel describes it. */
  canvas: CanvasInfo;
  page: SavedPage;
  /** Answers to requests that a saved page refuses. */
  recorded: { body: Body; answer: Answer; data: number }[];
  texts: string[];
}

const { canvas, page, recorded, texts } = file as unknown as Fixture;
const arrays = new Arrays(page.arrays, (index) => texts[index] ?? "");
// All at once: unpacking takes real time, which tests that move the timers do not wait for.
await Promise.all(page.arrays.map((_, index) => arrays.bytes(index)));
const answers = new BakedRuns(page, arrays);

export { arrays, canvas as CANVAS, page as PAGE };

/** As a kernel answers: about every run, rule, colour and finding, with the numbers of those that the page keeps. */
export async function answerTo(body: Body): Promise<Answered> {
  const { answer, data } = (await recordedAnswer(body)) ?? (await answers.answer(keptBy(body)));
  const asked: Record<string, unknown> = { ...body };
  // Answers repeat parts of what was asked.
  const fields = Object.entries(answer).map(([name, value]) => [name, name in asked ? asked[name] : value]);
  return { answer: Object.fromEntries(fields) as Answer, data: data.slice() };
}

/** The recorded answer to the request that is most like this one. */
async function recordedAnswer(body: Body): Promise<Answered | null> {
  const fields = Object.entries(body);
  const isAlike = (one: Body) => one.kind === body.kind && sourceOf(one) === sourceOf(body);
  const count = (one: Body) => fields.filter(([name, value]) => same((one as never)[name], value)).length;
  const [best] = recorded.filter((one) => isAlike(one.body)).sort((a, b) => count(b.body) - count(a.body));
  return best ? { answer: best.answer, data: await arrays.bytes(best.data) } : null;
}

function sourceOf(body: Body): string {
  return body.kind === "frame" ? body.source : "";
}

/** The same request, about the run, the rule and the colour that the page keeps. */
function keptBy(body: Body): Body {
  const { run, rule } = page.state;
  const kept: Record<string, unknown> = { ...body };
  if ("run" in body) kept.run = run;
  if ("rule" in body) kept.rule = rule;
  if ("runs" in body) kept.runs = body.runs.map(() => run);
  if ("selection" in body && body.selection)
    kept.selection = { ...body.selection, overlay: "selection", channel: "sum", band: undefined };
  return kept as unknown as Body;
}
