// What part of the selection's contribution lies in each of the named regions, and in the one that is drawn.
import type { ReadonlySignal } from "@preact/signals-core";
import { listedRegions, regionAt } from "../state/regions";
import { currentSelection, digest, selectionBytes, selectionKey } from "../state/selection";
import { isSwitching, ready, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import type { Region, RegionsReply, RunKey } from "../transport/messages";
import { same } from "../transport/same";
import { ByteCache } from "./cache";
import { Source } from "./source";

const BYTES = 1e6;

export interface Part {
  share: number;
  area: number;
  delta: number;
}

/** The answer, and the regions asked for: a region may be renamed without a new request. */
export type RegionParts = RegionsReply & { run: RunKey; rule: string; regions: Region[] };

/** What lies in a region, if it is one of those that were asked for. */
export function partOf({ regions, shares, areas, deltas }: RegionParts, region: Region): Part | undefined {
  const at = regions.findIndex((one) => same(one, region));
  const [share, area, delta] = [shares[at], areas[at], deltas[at]];
  return share === undefined || area === undefined || delta === undefined
    ? undefined
    : { share, area, delta };
}

export class RegionSource extends Source<"regions", RegionParts> {
  constructor(
    store: Store,
    client: RequestClient,
    watched: ReadonlySignal<boolean>,
    settled: ReadonlySignal<number>,
  ) {
    super({
      client,
      view: "regions",
      watched,
      wanted: () => {
        const selection = currentSelection(store);
        const time = settled.value;
        const regions = listedRegions(store, time).flatMap((named) => regionAt(named, time) ?? []);
        if (!ready(store._canvas.value) || !selection || regions.length === 0) return null;
        return { kind: "regions", run: store.run.value, rule: store.rule.value, time, selection, regions };
      },
      preparing: () => listedRegions(store, settled.value).length > 0 && isSwitching(store),
      key: ({ rule, time, selection, regions }) =>
        `${rule}/${selectionKey(selection)}@${time}:${digest(JSON.stringify(regions))}`,
      decode: (answer, _data, { run, rule, regions }) => ({ ...answer, run, rule, regions }),
      cache: new ByteCache(BYTES),
      bytes: ({ shares, selection }) => selectionBytes(selection) + 120 * shares.length,
      // Let the map's request, made at the same moment, go first.
      delay: () => 60,
    });
  }
}
