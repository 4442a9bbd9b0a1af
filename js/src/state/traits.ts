// Written by `python -m canvaswidget.widget.typescript`: change the traits of `CanvasWidget`, not this file.
import type { CanvasInfo, RunInfo, ViewState } from "../transport/messages";

export interface Traits extends ViewState {
  _canvas: CanvasInfo | Record<string, never>;
  _changes: Record<string, number>;
  _compared: CanvasInfo | Record<string, never>;
  _picture: string;
  _runs: RunInfo[];
  _seen: Record<string, number>;
}

export const DEFAULTS: Traits = {
  _canvas: {},
  _changes: {},
  _compared: {},
  _picture: "",
  _runs: [],
  _seen: {},
  run: null,
  compare: null,
  comparison: "side",
  rule: "",
  layer: "",
  time: 0,
  neuron: null,
  neurons: [],
  pixel: null,
  region: null,
  regions: [],
  n_clusters: 6,
  cluster: -1,
  cluster_names: {},
  loop: null,
  ablated: {},
  edits: [],
  source: "reconstruction",
  bits: 4,
  scheme: "per-tensor",
  maps: "magnitude",
  overlay: "selection",
  channel: "sum",
  palette: "viridis",
  opacity: 0.8,
  contrast: 1.0,
  limit: null,
  contours: false,
  sort: "pixel",
  colour_by: "cluster",
  panel: "pixel",
  band: null,
  fps: 8.0,
  playing: false,
  faithfulness: true,
};
