// The canvas of the tests, as messages describe it.
import type { CanvasInfo, LayerInfo } from "../src/transport/messages";

export interface CanvasOptions {
  frames: number;
  height: number;
  width: number;
}

const WHY = "rule 'xinc' does not follow this layer to the colours";

/** A layer as messages have it: kernels where `neurons` has two lengths, else units. */
export function layerInfo(name: string, neurons: number[], grid: number[], why = ""): LayerInfo {
  const op = neurons.length === 2 ? "conv2d" : "linear";
  return { name, op, neurons, n_groups: 1, grid, why_no_colours: why, each_colour: why === "" };
}

export const LAYERS = [
  layerInfo("stem.0", [160], [1, 1], WHY),
  layerInfo("decoder.0.conv.upconv.0", [24, 144], [16, 32], WHY),
  layerInfo("decoder.1.conv.upconv.0", [36, 96], [32, 64], WHY),
  layerInfo("decoder.2.conv.upconv.0", [96, 192], [64, 128], WHY),
  layerInfo("head", [48, 3], [128, 256]),
];

export function canvasInfo({ height, width, frames }: CanvasOptions): CanvasInfo {
  return {
    title: "big buck bunny, NeRV-S",
    run: null,
    notice: "",
    counterparts: {},
    rule: "xinc",
    height,
    width,
    n_frames: frames,
    n_channels: 3,
    layers: LAYERS,
    embeddings: ["pca", "tsne"],
    rules: ["xinc", "gated", "ablation"],
    why: "rule xinc: it is defined on 4 of 5 layers",
    ranked_by: "xinc",
    has_truth: true,
    device: "cpu, 2 threads",
  };
}
