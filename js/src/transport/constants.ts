// Written by `python -m canvaswidget.widget.typescript`: change the constants of Python, not this file.
export const RULES = ["xinc", "gated", "ablation"] as const;
export const NO_CLUSTER = 255;
export const MIN_CLUSTERS = 2;
export const MAX_CLUSTERS = 12;
export const CLUSTER_COLOURS = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
  "#f0e442",
  "#7f7f7f",
  "#5e3c99",
  "#8c510a",
  "#b8e186",
  "#000075",
] as const;
export const MAX_CONTRAST = 32;
export const CONTOURS = [0.25, 0.5, 0.75];
export const MAX_NEURONS = 20000;
export const MOST_BITS = 16;
export const MAX_REGIONS = 64;
export const MOST_RUNS = 20000;
export const LONGEST_NAME = 40;
export const FADED = 0.75;
export const LUMA = [0.2126, 0.7152, 0.0722] as const;
export const VALUES = "viridis";
export const PANELS = [
  "frame",
  "pixel",
  "region",
  "spectrum",
  "maps",
  "neurons",
  "shares",
  "time",
  "scatter",
] as const;
export const TABLES = ["pixel", "neurons", "time"] as const;
export const THUMBNAIL_SIDE = 64;
export const NEEDS_NOTEBOOK = "needs the notebook";
export const DOCUMENTATION = "https://canvaswidget.readthedocs.io/en/latest/";
