// Printed by `python -m canvaswidget.kernel.messages`: change that file, not this one.

export type Source = "reconstruction" | "truth" | "error" | "off" | "ablated" | "difference" | "quantisation";

export type Scheme = "per-tensor" | "per-channel";

export type Sort = "pixel" | "region" | "total" | "change" | "frequency" | "difference" | "index";

export type Maps = "magnitude" | "signed";

export type Overlay = "selection" | "neurons" | "intensity" | "change" | "gradient" | "laplacian" | "picture";

export type Channel = "sum" | "red" | "green" | "blue" | "abs";

export type Embedding = "pca" | "tsne" | "umap";

export type Comparison = "side" | "wipe" | "picture" | "map";

export type ColourBy = "cluster" | "frequency";

export type PanelTab = "pixel" | "region" | "spectrum";

export type Form = "png" | "pdf" | "svg" | "npz" | "csv" | "mp4" | "gif" | "html";

export type Act = "pixel" | "overlay" | "step" | "run" | "compare";

export type RunKey = number | string | null;

export type Body = PalettesRequest | RecipeRequest | ExportRequest | FrameRequest | MapRequest | GridRequest | ValuesRequest | PixelRequest | RegionNeuronsRequest | RegionsRequest | CarryRequest | BarsRequest | ThumbnailsRequest | CurveRequest | RunCurveRequest | StripRequest | ClustersRequest | ScatterRequest | PictureSpectraRequest | SelectionSpectrumRequest | RulesRequest | PairsRequest | FaithfulnessRequest | AgreementRequest;

export type Answer = PalettesReply | RecipeReply | ExportReply | FrameReply | MapReply | GridReply | ValuesReply | PixelReply | RegionNeuronsReply | RegionsReply | CarryReply | BarsReply | ThumbnailsReply | CurveReply | RunCurveReply | StripReply | ClustersReply | ScatterReply | PictureSpectraReply | SelectionSpectrumReply | RulesReply | PairsReply | FaithfulnessReply | AgreementReply;

export type FromPage = Request | Cancel | Painted;

export type FromKernel = Reply | Cancelled | Failed | Progress;

export interface LayerInfo {
  name: string;
  op: string;
  neurons: number[];
  n_groups: number;
  grid: number[];
  why_no_colours: string;
  each_colour: boolean;
}

export interface Quantisable {
  why_not: string;
  left_out: Record<string, string>;
}

export interface CanvasInfo {
  title: string;
  run: RunKey;
  notice: string;
  counterparts: Record<string, string>;
  rule: string;
  height: number;
  width: number;
  n_frames: number;
  n_channels: number;
  layers: LayerInfo[];
  rules: string[];
  why: string;
  ranked_by: string;
  embeddings: Embedding[];
  has_truth: boolean;
  quantisation: Quantisable;
  device: string;
}

export interface RunInfo {
  key: RunKey;
  group: number | null;
  error: string;
  facts: Record<string, number | null>;
  version: number;
  same_neurons: boolean;
}

export interface Region {
  points: number[][];
  runs: number[];
}

export interface NamedRegion {
  name: string;
  frames: (Region | null)[];
}

export interface Chosen {
  layer: string;
  neuron: number[] | null;
  neurons: number[][];
  cluster: number;
  n_clusters: number;
}

export interface Selection {
  layer: string;
  neuron: number[] | null;
  neurons: number[][];
  cluster: number;
  n_clusters: number;
  overlay?: Overlay;
  channel?: Channel;
  band?: number[];
}

export interface Sampled {
  pixels: number;
  passes: number;
  error: number;
  has_more: boolean;
}

export interface Removed {
  layer: string;
  neurons: number[][];
}

export interface Edit {
  layer: string;
  neuron: number[];
  factor: number;
}

export interface Quantiser {
  bits: number;
  scheme: Scheme;
}

export interface ViewState {
  run: RunKey;
  compare: RunKey;
  comparison: Comparison;
  rule: string;
  layer: string;
  time: number;
  neuron: number[] | null;
  neurons: number[][];
  pixel: number[] | null;
  region: Region | null;
  regions: NamedRegion[];
  n_clusters: number;
  cluster: number;
  cluster_names: Record<string, string[]>;
  loop: number[] | null;
  ablated: Record<string, number[][]>;
  edits: Edit[];
  source: Source;
  bits: number;
  scheme: Scheme;
  maps: Maps;
  overlay: Overlay;
  channel: Channel;
  palette: string;
  opacity: number;
  contrast: number;
  limit: number | null;
  contours: boolean;
  sort: Sort;
  colour_by: ColourBy;
  panel: PanelTab;
  band: number[] | null;
  fps: number;
  playing: boolean;
  faithfulness: boolean;
}

export interface RankedNeuron {
  layer: string;
  neuron: number[];
  value: number;
  magnitude: number;
  share: number | null;
}

export interface LayerShare {
  layer: string;
  n_neurons: number;
  total: number;
  n50: number;
  n90: number;
  counts: number[];
  shares: number[];
}

export interface PalettesRequest {
  kind: "palettes";
}

export interface PalettesReply {
  kind: "palettes";
  names: string[];
  diverging: string[];
}

export interface RecipeRequest {
  kind: "recipe";
  state: ViewState;
}

export interface RecipeReply {
  kind: "recipe";
  text: string;
}

export interface ExportRequest {
  kind: "export";
  state: ViewState;
  form: Form;
  panels: string[];
  table: string;
  first: number;
  last: number;
}

export interface ExportReply {
  kind: "export";
  name: string;
}

export interface PlainFrameRequest {
  kind: "frame";
  run: RunKey;
  time: number;
  source: Source;
}

export interface FrameRequest {
  kind: "frame";
  run: RunKey;
  time: number;
  source: Source;
  ablated?: Removed[];
  edits?: Edit[];
  quantised?: Quantiser;
}

export interface FrameReply {
  kind: "frame";
  time: number;
  source: Source;
  height: number;
  width: number;
  channels: number;
  low: number;
  high: number;
  psnr: number | null;
  psnr_before: number | null;
}

export interface PlainMapRequest {
  kind: "map";
  run: RunKey;
  rule: string;
  time: number;
  selection: Selection;
}

export interface MapRequest {
  kind: "map";
  run: RunKey;
  rule: string;
  time: number;
  selection: Selection;
  look?: number;
}

export interface MapReply {
  kind: "map";
  time: number;
  selection: Selection;
  height: number;
  width: number;
  low: number;
  high: number;
  total: number;
  signed_range: number[];
  by: string;
  sampled: Sampled | null;
}

export interface PlainGridRequest {
  kind: "grid";
  run: RunKey;
  rule: string;
  time: number;
  layer: string;
  cluster: number;
  n_clusters: number;
  sort: Sort;
  channel: Channel;
  pixel: number[] | null;
  region: Region | null;
  first: number;
  count: number;
  side: number;
}

export interface GridRequest {
  kind: "grid";
  run: RunKey;
  rule: string;
  time: number;
  layer: string;
  cluster: number;
  n_clusters: number;
  sort: Sort;
  channel: Channel;
  pixel: number[] | null;
  region: Region | null;
  first: number;
  count: number;
  side: number;
  find?: number[];
  look?: number;
  beside?: RunKey;
}

export interface GridReply {
  kind: "grid";
  time: number;
  layer: string;
  first: number;
  n_neurons: number;
  neurons: number[][];
  values: (number | null)[];
  height: number;
  width: number;
  low: number[];
  high: number[];
  totals: number[];
  scale: number;
  top_total: number;
  place: number | null;
  half_width: number;
  warning: string;
}

export interface PlainValuesRequest {
  kind: "values";
  run: RunKey;
  rule: string;
  time: number;
  layer: string;
  sort: Sort;
  channel: Channel;
  pixel: number[] | null;
  region: Region | null;
}

export interface ValuesRequest {
  kind: "values";
  run: RunKey;
  rule: string;
  time: number;
  layer: string;
  sort: Sort;
  channel: Channel;
  pixel: number[] | null;
  region: Region | null;
  beside?: RunKey;
}

export interface ValuesReply {
  kind: "values";
  time: number;
  layer: string;
  sort: Sort;
  pixel: number[] | null;
  half_width: number;
}

export interface PixelRequest {
  kind: "pixel";
  run: RunKey;
  rule: string;
  time: number;
  pixel: number[];
  k: number;
  selection: Selection;
}

export interface PixelReply {
  kind: "pixel";
  time: number;
  pixel: number[];
  channel: Channel;
  ranked_at: number[];
  rgb: number[];
  truth: number[] | null;
  selected: number | null;
  selected_signed: number | null;
  neurons: RankedNeuron[];
  layers: LayerShare[];
}

export interface RegionNeuronsRequest {
  kind: "region_neurons";
  run: RunKey;
  rule: string;
  time: number;
  region: Region;
  k: number;
  channel: Channel;
}

export interface RegionNeuronsReply {
  kind: "region_neurons";
  time: number;
  n_pixels: number;
  channel: Channel;
  neurons: RankedNeuron[];
  layers: LayerShare[];
  half_width: number;
}

export interface RegionsRequest {
  kind: "regions";
  run: RunKey;
  rule: string;
  time: number;
  selection: Selection;
  regions: Region[];
}

export interface RegionsReply {
  kind: "regions";
  time: number;
  selection: Selection;
  shares: number[];
  areas: number[];
  deltas: number[];
  sampled: Sampled | null;
}

export interface CarryRequest {
  kind: "carry";
  run: RunKey;
  time: number;
  to: number;
  region: Region;
}

export interface CarryReply {
  kind: "carry";
  region: Region | null;
}

export interface NamedNeuron {
  layer: string;
  neuron: number[];
}

export interface BarsRequest {
  kind: "bars";
  run: RunKey;
  rule: string;
  time: number;
  pixel: number[];
  channel: Channel;
  neurons: NamedNeuron[];
}

export interface BarsReply {
  kind: "bars";
  time: number;
  pixel: number[];
  values: number[];
}

export interface ThumbnailsRequest {
  kind: "thumbnails";
  run: RunKey;
  rule: string;
  time: number;
  layer: string;
  channel: Channel;
  neurons: number[][];
  side: number;
}

export interface ThumbnailsReply {
  kind: "thumbnails";
  time: number;
  layer: string;
  height: number;
  width: number;
  low: number[];
  high: number[];
  totals: number[];
}

export interface CurveRequest {
  kind: "curve";
  run: RunKey;
  rule: string;
  frames: number[];
  selection: Selection;
}

export interface CurveReply {
  kind: "curve";
  frames: number[];
  totals: (number | null)[];
  changes: (number | null)[];
  half_widths: number[];
  change_half_widths: number[];
}

export interface RunCurveRequest {
  kind: "run_curve";
  run: RunKey;
  rule: string;
  time: number;
  runs: RunKey[];
  selection: Selection | null;
}

export interface RunCurveReply {
  kind: "run_curve";
  time: number;
  runs: RunKey[];
  totals: (number | null)[];
  half_widths: number[];
  psnr: (number | null)[];
  faithfulness: (number | null)[];
}

export interface StripRequest {
  kind: "strip";
  run: RunKey;
  frames: number[];
  side: number;
}

export interface StripReply {
  kind: "strip";
  frames: number[];
  height: number;
  width: number;
}

export interface ClustersRequest {
  kind: "clusters";
  run: RunKey;
  rule: string;
  time: number;
  layer: string;
  n_clusters: number;
}

export interface ClustersReply {
  kind: "clusters";
  frame: number;
  layer: string;
  n_clusters: number;
  counts: number[];
  exemplars: number[][];
  height: number;
  width: number;
  low: number[];
  high: number[];
  half_width: number;
}

export interface ScatterRequest {
  kind: "scatter";
  run: RunKey;
  rule: string;
  time: number;
  layer: string;
  method: Embedding;
}

export interface ScatterReply {
  kind: "scatter";
  time: number;
  layer: string;
  method: Embedding;
}

export interface PictureSpectraRequest {
  kind: "picture_spectra";
  run: RunKey;
  time: number;
}

export interface Spectrum {
  power: (number | null)[];
  centroid: number | null;
  bandwidth: number | null;
}

export interface PictureSpectra {
  truth?: Spectrum;
  output?: Spectrum;
  error?: Spectrum;
}

export interface PictureSpectraReply {
  kind: "picture_spectra";
  time: number;
  limits: number[];
  frequencies: number[];
  pictures: PictureSpectra;
}

export interface SelectionSpectrumRequest {
  kind: "selection_spectrum";
  run: RunKey;
  rule: string;
  time: number;
  selection: Selection;
}

export interface SelectionSpectrumReply {
  kind: "selection_spectrum";
  time: number;
  selection: Selection;
  spectrum: Spectrum;
  each_colour: boolean;
}

export interface RulesRequest {
  kind: "rules";
  run: RunKey;
  rule: string;
  time: number;
  selection: Chosen;
}

export interface Plane {
  low: number;
  high: number;
}

export interface RuleMap {
  rule: string;
  why: string;
  total: number;
  each_colour: boolean;
  map: Plane | null;
  difference: Plane | null;
  correlation: number | null;
}

export interface RulesReply {
  kind: "rules";
  time: number;
  selection: Chosen;
  height: number;
  width: number;
  maps: RuleMap[];
}

export interface PairsRequest {
  kind: "pairs";
  run: RunKey;
  rule: string;
  time: number;
  layer: string;
  other: RunKey;
}

export interface PairsReply {
  kind: "pairs";
  time: number;
  layer: string;
  other_layer: string;
}

export interface FaithfulnessRequest {
  kind: "faithfulness";
  run: RunKey;
  rule: string;
  time: number;
  layer: string;
}

export interface Range {
  value: number;
  low: number;
  high: number;
}

export interface FaithfulnessReply {
  kind: "faithfulness";
  rule: string;
  layer: string;
  frame: number;
  measured: number;
  n_neurons: number;
  totals: Range | null;
  pixels: Range | null;
}

export interface AgreementRequest {
  kind: "agreement";
  run: RunKey;
  rule: string;
  time: number;
  selection: Chosen;
}

export interface AgreementReply {
  kind: "agreement";
  correlation: number | null;
}

export interface Request {
  type: "request";
  id: number;
  view: string;
  body: Body;
}

export interface Cancel {
  type: "cancel";
  id: number;
}

export interface Timing {
  act: Act;
  milliseconds: number;
}

export interface Painted {
  type: "painted";
  id: number;
  times: Timing[];
  rate: number | null;
}

export interface Reply {
  type: "reply";
  id: number;
  seconds: number;
  of: Body;
  body: Answer;
}

export interface Cancelled {
  type: "cancelled";
  id: number;
}

export interface Failed {
  type: "error";
  id: number;
  message: string;
}

export interface Progress {
  type: "progress";
  id: number;
  done: number;
  total: number;
}
