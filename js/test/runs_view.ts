// A view of several runs, and of a second one beside the first.
import type { Body } from "../src/transport/messages";
import { CANVAS } from "./fixture";
import { type OpenView, useView } from "./view";

/** Runs 0 and 500 are one network; "other" has the same layers, and neurons of its own. */
export function runs(same_neurons = true, keys: (number | string)[] = [0, 500, 2400]) {
  const error = "";
  return keys.map((key) => ({ key, group: 0, error, facts: { psnr: 20.5 }, version: 0, same_neurons }));
}

export function info(run: number | string) {
  const counterparts = Object.fromEntries(CANVAS.layers.map(({ name }) => [name, name]));
  return { ...CANVAS, run, counterparts };
}

/** All that the tests of a second run do not answer by themselves. */
export const KINDS: Body["kind"][] = [
  "palettes",
  "frame",
  "map",
  "pixel",
  "bars",
  "grid",
  "curve",
  "strip",
  "regions",
];

export interface RunsView {
  view: OpenView;
  /** Run 2400. */
  open(changes?: Record<string, unknown>, same_neurons?: boolean): void;
  /** Run 2400, with 500 beside it. */
  compared(changes?: Record<string, unknown>, same_neurons?: boolean): void;
  find(name: string): HTMLElement;
  /** The bodies of the requests of a kind. */
  asked(kind: Body["kind"]): Body[];
}

export function useRuns(): RunsView {
  const view = useView();
  const open: RunsView["open"] = (changes = {}, same_neurons = true) =>
    view.open({ _runs: runs(same_neurons), _canvas: info(2400), run: 2400, ...changes });
  return {
    view,
    open,
    compared: (changes = {}, same_neurons = true) =>
      open({ compare: 500, _compared: info(500), pixel: [3, 4], ...changes }, same_neurons),
    find: (name) => view.page.find(`[data-testid="${name}"]`),
    asked: (kind) => view.model.requests(kind).map(({ body }) => body),
  };
}
