// How far the maps that are shown can be believed, a layer's and the selection's: measured by the kernel when nothing
// else is asked of it.
import { type ReadonlySignal, untracked } from "@preact/signals-core";
import { savedOf } from "../state/saved";
import { currentSelection, isWholeLayer, layerOf, neuronsOf, selectionKey } from "../state/selection";
import { canvasOf, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import type { FaithfulnessReply, RunKey } from "../transport/messages";
import { ByteCache } from "./cache";
import { Source } from "./source";

/** In ms: layers that the user only steps over are not measured. */
const REST = 600;

export type Faithfulness = FaithfulnessReply & { run: RunKey };

export class FaithfulnessSource extends Source<"faithfulness", Faithfulness> {
  constructor(store: Store, client: RequestClient, watched: ReadonlySignal<boolean>) {
    super({
      client,
      view: "faithfulness",
      watched,
      wanted: () => {
        const info = canvasOf(store);
        const layer = store.layer.value;
        const rule = store.rule.value;
        const idle = store.faithfulness.value && !store.playing.value && rule !== "ablation";
        if (!idle || !info || !layerOf(info, layer)) return null;
        // Measured on the frame that was shown at the first request: a change of frame does not repeat it.
        return {
          kind: "faithfulness",
          run: store.run.value,
          rule,
          time: untracked(() => store.time.value),
          layer,
        };
      },
      key: ({ rule, layer }) => `${rule}/${layer}`,
      decode: (answer, _data, { run }) => ({ ...answer, run }),
      cache: new ByteCache(1e6),
      bytes: () => 500,
      delay: () => REST,
    });
  }
}

/** How alike the selection's map is to what taking the selection out changes; `key` says which selection. */
export interface Agreement {
  run: RunKey;
  rule: string;
  time: number;
  key: string;
  correlation: number | null;
}

export class AgreementSource extends Source<"agreement", Agreement> {
  constructor(store: Store, client: RequestClient, watched: ReadonlySignal<boolean>) {
    super({
      client,
      view: "agreement",
      watched,
      wanted: () => {
        const rule = store.rule.value;
        const isIdle = store.faithfulness.value && !store.playing.value && rule !== "ablation";
        const selection = currentSelection(store);
        if (!isIdle || !selection || isWholeLayer(selection) || savedOf(store._canvas.value)) return null;
        return {
          kind: "agreement",
          run: store.run.value,
          rule,
          time: store.time.value,
          selection: neuronsOf(selection),
        };
      },
      key: ({ rule, time, selection }) => `${rule}/${selectionKey(selection)}@${time}`,
      decode: ({ correlation }, _data, { run, rule, time, selection }) => ({
        run,
        rule,
        time,
        key: selectionKey(selection),
        correlation,
      }),
      cache: new ByteCache(1e6),
      bytes: () => 200,
      delay: () => REST,
    });
  }
}

const WORDS = [
  { least: 0.9, word: "high" },
  { least: 0.6, word: "fair" },
  { least: 0.3, word: "low" },
] as const;

/** As a word: not everybody can tell colours apart. */
export function wordOf(correlation: number): "high" | "fair" | "low" | "none" {
  return WORDS.find(({ least }) => correlation >= least)?.word ?? "none";
}
