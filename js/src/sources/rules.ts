// One selection's map under every rule, asked for while the view of them is open.
import { type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import { currentSelection, neuronsOf, selectionKey } from "../state/selection";
import { isSwitching, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import { requireBytes } from "../transport/data";
import type { RuleMap, RulesReply, RunKey } from "../transport/messages";
import { ByteCache } from "./cache";
import { Source } from "./source";

export type RulePictures = Omit<RuleMap, "map" | "difference"> & {
  map: Levels | null;
  difference: Levels | null;
};
export interface Levels {
  data: Uint8Array;
  low: number;
  high: number;
}
export type SideBySide = Omit<RulesReply, "maps"> & { run: RunKey; maps: RulePictures[] };

const BYTES = 48e6;

export class RulesSource extends Source<"rules", SideBySide> {
  /** How many views have it open. */
  readonly open: Signal<number>;

  constructor(store: Store, client: RequestClient, watched: ReadonlySignal<boolean>) {
    const open = signal(0);
    super({
      client,
      view: "rules",
      watched,
      wanted: () => {
        const selection = open.value > 0 ? currentSelection(store) : null;
        if (!selection) return null;
        return {
          kind: "rules",
          run: store.run.value,
          rule: store.rule.value,
          time: store.time.value,
          selection: neuronsOf(selection),
        };
      },
      preparing: () => open.value > 0 && isSwitching(store),
      key: ({ rule, time, selection }) => `${rule}/${selectionKey(selection)}@${time}`,
      decode: (answer, data, { run }) => ({ ...answer, run, maps: split(answer, data) }),
      cache: new ByteCache(BYTES),
      bytes: ({ maps }) =>
        maps.reduce(
          (sum, { map, difference }) => sum + (map?.data.length ?? 0) + (difference?.data.length ?? 0),
          0,
        ),
      patience: 250,
    });
    this.open = open;
  }
}

function split({ maps, height, width }: RulesReply, data: Uint8Array): RulePictures[] {
  const size = height * width;
  const count = maps.reduce((sum, { map, difference }) => sum + (map ? 1 : 0) + (difference ? 1 : 0), 0);
  requireBytes(data, count * size);
  let at = 0;
  const next = <P extends object>(plane: P | null) => {
    if (!plane) return null;
    at += size;
    return { ...plane, data: data.subarray(at - size, at) };
  };
  return maps.map((told) => {
    const map = next(told.map);
    return { ...told, map, difference: next(told.difference) };
  });
}
