import type { LayerInfo } from "../src/transport/messages";

/** A layer as messages have it: kernels where `neurons` has two lengths, else units. */
export function layerInfo(name: string, neurons: number[], grid: number[]): LayerInfo {
  const op = neurons.length === 2 ? "conv2d" : "linear";
  return { name, op, neurons, n_groups: 1, grid, why_no_colours: "", each_colour: true };
}
