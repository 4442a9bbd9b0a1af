// What the fixture's page keeps, read with plain loops: what the views show is compared with it.
import type { Baked } from "../src/page/saved_page";
import { arrays, CANVAS, PAGE } from "./fixture";

export const BAKED = PAGE.baked[0] as Baked;

/** The totals of a layer's neurons at a frame, the largest first. */
export function byTotal(layer: string, time: number): { neuron: number[]; total: number }[] {
  const found: { neuron: number[]; total: number }[] = [];
  for (const { layer: name, neuron, totals } of BAKED.selections)
    if (name === layer && neuron) found.push({ neuron, total: totals[time] ?? Number.NaN });
  return found.sort((a, b) => b.total - a.total);
}

/** The cluster of each neuron of a layer. */
export async function labelsOf(layer: string): Promise<number[]> {
  const known = BAKED.clusters.find(({ answer }) => answer.layer === layer);
  const bytes = await arrays.bytes(known?.data ?? -1);
  const shape = CANVAS.layers.find(({ name }) => name === layer)?.neurons ?? [];
  return [...bytes.subarray(0, (shape[0] ?? 0) * (shape[1] ?? 0))];
}

/** The values of the strongest neurons at the ranked pixel that is nearest, and by layer how many make half and 90 %. */
export async function rankedAt(time: number, [y = 0, x = 0]: number[]) {
  const { pixels, values, counts } = BAKED.ranked;
  let nearest = 0;
  const distance = (at: number) => Math.hypot((pixels[at]?.[0] ?? 0) - y, (pixels[at]?.[1] ?? 0) - x);
  for (let at = 1; at < pixels.length; at++) if (distance(at) < distance(nearest)) nearest = at;
  const row = time * pixels.length + nearest;
  const [all, numbers] = [await arrays.numbers(values), await arrays.numbers(counts)];
  const length = arrays.shape(values)[2] ?? 0;
  const strongest = [...all.subarray(row * length, (row + 1) * length)];
  const halves = CANVAS.layers.map(({ name }, at) => {
    const first = 2 * (row * CANVAS.layers.length + at);
    return { layer: name, n50: numbers[first], n90: numbers[first + 1] };
  });
  return { values: strongest, halves };
}
