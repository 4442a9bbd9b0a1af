// The strongest neurons of a pixel, which a page knows of some pixels: those of the nearest.
import { neuronAt } from "../state/selection";
import type { PixelReply, RankedNeuron } from "../transport/messages";
import type { Baked } from "./saved_page";
import type { Arrays } from "./unpacking";

/** `at`: the place of the frame among those that the page keeps. */
export async function rankedAt(
  { ranked, info }: Baked,
  arrays: Arrays,
  at: number,
  pixel: number[],
  k: number,
): Promise<{ pixel: number[]; neurons: RankedNeuron[]; layers: PixelReply["layers"] }> {
  const [y = 0, x = 0] = pixel;
  const far = ([py = 0, px = 0]: number[]) => (py - y) ** 2 + (px - x) ** 2;
  const nearest = ranked.pixels.reduce(
    (best, one, i) => (far(one) < far(ranked.pixels[best] ?? []) ? i : best),
    0,
  );
  const row = at * ranked.pixels.length + nearest;
  const kept = [ranked.layers, ranked.places, ranked.values, ranked.sizes];
  const [layers, places, values, sizes, totals, counts, shares] = await Promise.all(
    [...kept, ranked.totals, ranked.counts, ranked.shares].map((index) => arrays.numbers(index)),
  );
  const entry = (array: ArrayLike<number> | undefined, index: number) => array?.[index] ?? 0;
  const [, , length = 0] = arrays.shape(ranked.layers);
  const neurons: RankedNeuron[] = [];
  for (let i = row * length; i < row * length + Math.min(length, k); i++) {
    const number = entry(layers, i);
    const layer = info.layers[number];
    if (!layer) continue;
    const value = entry(values, i);
    const total = entry(totals, row * info.layers.length + number);
    const magnitude = entry(sizes, i);
    const share = total > 0 ? magnitude / total : 0;
    neurons.push({ layer: layer.name, neuron: neuronAt(layer, entry(places, i)), value, magnitude, share });
  }
  const curve = ranked.points.reduce((sum, points) => sum + points.length, 0);
  let start = row * curve;
  const told: PixelReply["layers"] = info.layers.map((layer, number) => {
    const from = row * info.layers.length + number;
    const points = ranked.points[number] ?? [];
    const first = start;
    start += points.length;
    return {
      layer: layer.name,
      n_neurons: layer.neurons.reduce((product, n) => product * n, 1),
      total: entry(totals, from),
      n50: entry(counts, 2 * from),
      n90: entry(counts, 2 * from + 1),
      counts: points,
      shares: points.map((_, i) => entry(shares, first + i) / 255),
    };
  });
  return { pixel: ranked.pixels[nearest] ?? pixel, neurons, layers: told };
}
