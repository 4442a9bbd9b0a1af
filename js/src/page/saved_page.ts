// What a saved page contains, as `canvaswidget/exports/precomputed.py` writes it.
import type {
  Answer,
  CanvasInfo,
  ClustersReply,
  FaithfulnessReply,
  PalettesReply,
  RunKey,
} from "../transport/messages";
import type { Packed } from "./unpacking";

/** The maps of one selection: one plane for a neuron, magnitudes and signed sums for more. By plane, then by frame. */
export interface Kept {
  layer: string;
  neuron: number[] | null;
  cluster: number;
  low: number[][];
  high: number[][];
  totals: number[];
  changes: (number | null)[];
  planes: number[];
}

/** Of some pixels: numbers of arrays, by frame, pixel and rank or layer. */
export interface Ranked {
  pixels: number[][];
  /** By layer, where its share curve is known. */
  points: number[][];
  layers: number;
  places: number;
  values: number;
  /** Magnitudes. */
  sizes: number;
  totals: number;
  counts: number;
  shares: number;
}

/** What the page keeps of one run. */
export interface Baked {
  info: CanvasInfo;
  faithfulness: FaithfulnessReply[];
  pictures: { reconstruction: number; truth?: number };
  psnr: (number | null)[];
  selections: Kept[];
  clusters: { answer: ClustersReply; data: number }[];
  ranked: Ranked;
}

export interface SavedPage {
  /** Traits by name. */
  state: Record<string, unknown> & { run: RunKey };
  needs: Record<
    | "selection"
    | "frames"
    | "overlay"
    | "clusters"
    | "scatter"
    | "spectrum"
    | "rules"
    | "runs"
    | "pairs"
    | "source"
    | "colours"
    | "faithfulness"
    | "regions"
    | "export",
    string
  >;
  recipe: string;
  palettes: { answer: PalettesReply; data: number };
  /** The runs, in the order of the slider; of one network, that one. */
  baked: Baked[];
  arrays: Packed[];
}

export interface Answered {
  answer: Answer;
  data: Uint8Array;
}
