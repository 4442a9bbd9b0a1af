// How charts are drawn: the colours of the theme, and axes in them.
import type uPlot from "uplot";

/** Reads a colour of the theme when it is drawn, since the theme may change. */
export function themeColours(root: Element): (name: string) => string {
  return (name) => getComputedStyle(root).getPropertyValue(name).trim() || "#888";
}

export function axisOf(colour: (name: string) => string, size: number): uPlot.Axis {
  return {
    stroke: () => colour("--cw-muted"),
    grid: { stroke: () => colour("--cw-line"), width: 1 },
    ticks: { stroke: () => colour("--cw-line"), width: 1, size: 4 },
    font: "11px system-ui, sans-serif",
    gap: 4,
    size,
  };
}
