// The neurons that are ablated or scaled: the set, and how it goes on the wire.
import type { Edit, Removed, Source } from "../transport/messages";
import { digest } from "./selection";

/** By layer, its neurons that are out; a layer without any has no entry. */
export type Ablated = Record<string, number[][]>;

export function isAblated(source: Source): boolean {
  return source === "ablated" || source === "difference";
}

export function sizeOf(ablated: Ablated): number {
  return Object.values(ablated).reduce((sum, { length }) => sum + length, 0);
}

// A set may have thousands of neurons, and is asked about at every step of a clip: what is made of it is made once.
const wired = new WeakMap<Ablated, Removed[]>();
const keys = new WeakMap<Removed[], string>();

export function onWire(ablated: Ablated): Removed[] {
  const known = wired.get(ablated);
  if (known) return known;
  const removed = Object.entries(ablated).map(([layer, neurons]) => ({ layer, neurons }));
  wired.set(ablated, removed);
  return removed;
}

/** Equal for equal sets. */
export function setKey(removed: Removed[] = [], edits: Edit[] = []): string {
  if (edits.length) return digest(JSON.stringify([removed, edits]));
  if (!removed.length) return "";
  const known = keys.get(removed) ?? digest(JSON.stringify(removed));
  keys.set(removed, known);
  return known;
}

/** The edits but those of some neurons of a layer. */
export function without(edits: Edit[], layer: string, neurons: number[][]): Edit[] {
  const named = new Set(neurons.map(String));
  return edits.filter((edit) => edit.layer !== layer || !named.has(String(edit.neuron)));
}

/** The set with some neurons of a layer out, or with them put back. */
export function combine(ablated: Ablated, layer: string, neurons: number[][], out: boolean): Ablated {
  const named = new Set(neurons.map(String));
  const others = (ablated[layer] ?? []).filter((one) => !named.has(String(one)));
  const left = out ? [...others, ...neurons] : others;
  const rest = Object.entries(ablated).filter(([name]) => name !== layer);
  return Object.fromEntries(left.length ? [...rest, [layer, left]] : rest);
}
