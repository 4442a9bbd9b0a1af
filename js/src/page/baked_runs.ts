// The runs that a saved page keeps: which of them answers, and what of a view changes when another one is chosen.
import { framesOf, hasMap, nearestFrame, savedOf } from "../state/saved";
import { layerOf } from "../state/selection";
import type { Traits } from "../state/traits";
import type { Body, CanvasInfo, LayerInfo, RunCurveRequest, RunKey } from "../transport/messages";
import { Answers } from "./answers";
import type { PageModel } from "./model";
import type { Answered, SavedPage } from "./saved_page";
import type { Arrays } from "./unpacking";

/** The answers of all runs that the page keeps. */
export class BakedRuns {
  #page: SavedPage;
  #arrays: Arrays;
  #answers: Map<RunKey, Answers>;

  constructor(page: SavedPage, arrays: Arrays) {
    this.#page = page;
    this.#arrays = arrays;
    this.#answers = new Map(page.baked.map((baked) => [baked.info.run, new Answers(page, baked, arrays)]));
  }

  async answer(body: Body): Promise<Answered> {
    const { palettes, recipe, state, needs } = this.#page;
    if (body.kind === "palettes")
      return { answer: palettes.answer, data: await this.#arrays.bytes(palettes.data) };
    if (body.kind === "recipe") return { answer: { kind: "recipe", text: recipe }, data: new Uint8Array(0) };
    if (body.kind === "run_curve") return this.#runCurve(body);
    const answers = this.#answers.get("run" in body ? body.run : state.run);
    if (!answers) throw new Error(needs.runs);
    return answers.answer(body);
  }

  async #runCurve({ rule, time, runs, selection }: RunCurveRequest): Promise<Answered> {
    const totalOf = async (run: RunKey) => {
      if (!selection) return null;
      const curve = this.answer({ kind: "curve", run, rule, frames: [time], selection });
      const { answer } = await curve.catch(() => ({ answer: null })); // the selection is not kept
      return answer?.kind === "curve" ? (answer.totals[0] ?? null) : null;
    };
    const totals = await Promise.all(runs.map(totalOf));
    const psnr = runs.map((run) => {
      const baked = this.#page.baked.find(({ info }) => info.run === run);
      return baked?.psnr[framesOf(baked.info).indexOf(time)] ?? null;
    });
    const faithfulness = runs.map(() => null);
    const half_widths = runs.map(() => 0);
    const answer = { kind: "run_curve", time, runs, totals, half_widths, psnr, faithfulness } as const;
    return { answer, data: new Uint8Array(0) };
  }
}

export function infoOf({ baked }: SavedPage, run: RunKey): CanvasInfo | undefined {
  return baked.find(({ info }) => info.run === run)?.info;
}

/** Describes the runs that are chosen, as Python would: what of the view the first has not got is let go of. */
export function followRuns(model: PageModel, page: SavedPage): void {
  const compare = () => {
    const first = model.get("_canvas") as CanvasInfo;
    const second = infoOf(page, model.get("compare") as RunKey);
    model.assign({ _compared: second && model.get("compare") !== null ? besides(first, second) : {} });
  };
  model.on("change:run", () => {
    const before = model.get("_canvas") as CanvasInfo;
    const after = infoOf(page, model.get("run") as RunKey);
    if (!after || after.run === before.run) return;
    model.assign(carriedOver(page, model, before, after));
    compare();
  });
  model.on("change:compare", compare);
  compare();
}

function besides(first: CanvasInfo, second: CanvasInfo): CanvasInfo {
  const names = first.layers.map(
    ({ name }) => [name, (layerOf(second, name) ?? counterpart(name, first, second))?.name ?? ""] as const,
  );
  return { ...second, counterparts: Object.fromEntries(names) };
}

function carriedOver(page: SavedPage, model: PageModel, before: CanvasInfo, after: CanvasInfo) {
  const of = <K extends keyof Traits>(name: K) => model.get(name) as Traits[K];
  const changes: Partial<Traits> = {};
  const said: string[] = [];
  const same = layerOf(after, of("layer"));
  const layer = same ?? counterpart(of("layer"), before, after);
  if (layer && !same) {
    changes.layer = layer.name;
    said.push(`layer ${of("layer")} is not in it: ${layer.name} is shown`);
  }
  const kept = of("neurons").filter((neuron) => same && hasMap(after, same.name, neuron));
  if (layer && kept.length < of("neurons").length) {
    const [strongest] = savedOf(after)?.neurons[layer.name] ?? [];
    changes.neurons = kept.length || !strongest ? kept : [strongest];
    changes.neuron = changes.neurons.at(-1) ?? null;
    if (same) said.push("this page does not keep the selected neurons of it");
  }
  if ((of("source") === "truth" || of("source") === "error") && !after.has_truth) {
    changes.source = "reconstruction";
    said.push("it has no truth");
  }
  const frames = framesOf(after);
  if (!frames.includes(of("time"))) changes.time = frames[nearestFrame(frames, of("time"))] ?? 0;
  // Other maps, other clusters.
  const names = after.run === page.state.run ? page.state.cluster_names : {};
  changes.cluster_names = names as Traits["cluster_names"];
  return { ...changes, _canvas: { ...after, notice: said.join("; ") } };
}

/** The layer that is as far from the output. */
function counterpart(name: string, before: CanvasInfo, after: CanvasInfo): LayerInfo | undefined {
  const at = before.layers.findIndex((layer) => layer.name === name);
  const place = at < 0 ? 1 : before.layers.length - 1 - at;
  return after.layers[Math.max(0, after.layers.length - 1 - place)];
}
