// The parts of the page that ask the kernel: each has one request at a time.
export type View = Part | `compared ${Part}`;
type Part =
  | "palettes"
  | "recipe"
  | "frame"
  | "export"
  | "map"
  | "better map"
  | "grid"
  | "find"
  | "pointed"
  | "refine"
  | "pixel"
  | "hover"
  | "regions"
  | "carry"
  | "region neurons"
  | "curve"
  | "strip"
  | "clusters"
  | "scatter"
  | "values"
  | "rules"
  | "bars"
  | "pairs"
  | "run curve"
  | "spectra"
  | "frequencies"
  | "selection spectrum"
  | "faithfulness"
  | "agreement";

/** Requested while the widget is idle: the status line does not show it as activity. */
export const BACKGROUND: View[] = [
  "faithfulness",
  "agreement",
  "refine",
  "better map",
  "compared better map",
  "pairs",
  "pointed",
];
