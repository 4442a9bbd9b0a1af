// The regions with names: what part of the selection's contribution lies in each of them at a frame.
import type { ReadonlySignal } from "@preact/signals-core";
import { ByteCache } from "./cache";
import type { RequestClient } from "./client";
import type { NamedRegion, Region, RegionsReply } from "./messages";
import { currentSelection, digest, selectionBytes, selectionKey } from "./selection";
import { Source } from "./source";
import { isSwitching, ready, type Store, same } from "./store";

const BYTES = 1e6;
const LONGEST_NAME = 40;

export interface Part {
  share: number;
  area: number;
  delta: number;
}

/** The answer, and what was asked: names may change without it. */
export type RegionParts = RegionsReply & { rule: string; regions: Region[] };

/** What lies in a region, if it is one of those that were asked for. */
export function partOf({ regions, shares, areas, deltas }: RegionParts, region: Region): Part | undefined {
  const at = regions.findIndex((one) => same(one, region));
  const [share, area, delta] = [shares[at], areas[at], deltas[at]];
  return share === undefined || area === undefined || delta === undefined
    ? undefined
    : { share, area, delta };
}

/** A region as it is at a frame; null where it is not in the picture. */
export function regionAt({ frames }: NamedRegion, time: number): Region | null {
  return (frames.length === 1 ? frames[0] : frames[time]) ?? null;
}

/** The region at another frame: that of an object in the list goes with it, but stays where the object leaves. */
export function followed(store: Store, time: number): Region | null {
  const region = store.region.peek();
  if (!region) return null;
  const alike = (one: Region | null) =>
    one?.runs.length === region.runs.length &&
    one.points.length === region.points.length &&
    same(one, region);
  const moving = store.regions.peek().find(({ frames }) => frames.length > 1 && frames.some(alike));
  return moving?.frames[time] ?? region;
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
        const regions = store.regions.value.flatMap((named) => regionAt(named, time) ?? []);
        if (!ready(store._canvas.value) || !selection || regions.length === 0) return null;
        return { kind: "regions", rule: store.rule.value, time, selection, regions };
      },
      preparing: () => store.regions.value.length > 0 && isSwitching(store),
      key: ({ rule, time, selection, regions }) =>
        `${rule}/${selectionKey(selection)}@${time}:${digest(JSON.stringify(regions))}`,
      decode: (answer, _data, { rule, regions }) => ({ ...answer, rule, regions }),
      cache: new ByteCache(BYTES),
      bytes: ({ shares, selection }) => selectionBytes(selection) + 120 * shares.length,
      // Of the map that is asked for at the same moment: that is looked at first.
      delay: () => 60,
    });
  }
}

/** Keeps the region that is drawn under the next free number. */
export function keepRegion(store: Store): void {
  const region = store.region.peek();
  const regions = store.regions.peek();
  if (!region) return;
  const names = new Set(regions.map(({ name }) => name));
  let n = regions.length + 1;
  while (names.has(`region ${n}`)) n++;
  store.set({ regions: [...regions, { name: `region ${n}`.slice(0, LONGEST_NAME), frames: [region] }] });
}

export function dropRegion(store: Store, name: string): void {
  store.set({ regions: store.regions.peek().filter((one) => one.name !== name) });
}
