// The regions with names, and the one that is drawn.
import { MAX_REGIONS } from "../transport/constants";
import type { NamedRegion, Region } from "../transport/messages";
import { same } from "../transport/same";
import { savedOf } from "./saved";
import type { Store } from "./store";

export const DRAWN = "drawn region";

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

/** The regions in the list at a frame: those with names, then the drawn one without a name. A saved page can't list that. */
export function listedRegions(store: Store, time: number): NamedRegion[] {
  const [named, region] = [store.regions.value, store.region.value];
  const isDrawn = region && !named.some((one) => same(regionAt(one, time), region));
  const there = named.length < MAX_REGIONS && savedOf(store._canvas.value) === null;
  return isDrawn && there ? [...named, { name: DRAWN, frames: [region] }] : named;
}

/** Keeps the region that is drawn under the next free number. */
export function keepRegion(store: Store): void {
  const region = store.region.peek();
  const regions = store.regions.peek();
  if (!region || regions.length >= MAX_REGIONS) return;
  const names = new Set(regions.map(({ name }) => name));
  let n = regions.length + 1;
  while (names.has(`region ${n}`)) n++;
  store.set({ regions: [...regions, { name: `region ${n}`, frames: [region] }] });
}

export function dropRegion(store: Store, name: string): void {
  store.set({ regions: store.regions.peek().filter((one) => one.name !== name) });
}
