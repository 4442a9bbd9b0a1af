// Lines of power over frequency, both pictures' and the selection's, on a logarithmic axis.
import { number } from "../state/format";
import type { Spectrum } from "../transport/messages";
import { h } from "../ui/dom";
import { createLineChart, type Line, type Scale } from "../ui/line_chart";
import type { View } from "../ui/view";

export const NYQUIST = 0.5;
/** Between the edges and the first and last frequency, in CSS pixels. */
export const [LEFT, RIGHT] = [48, 14];
/** Power that is a smaller part of the largest than this is rounding, and would flatten all lines. */
const LEAST = 1e-12;
const PAD = 1.6;

export interface SpectrumLine {
  name: "truth" | "output" | "error" | "selection";
  spectrum: Spectrum;
}

export interface ShownSpectra {
  limits: readonly number[];
  frequencies: readonly number[];
  lines: readonly SpectrumLine[];
  /** The frequencies that are shaded. */
  band: readonly [number, number] | null;
}

export function createSpectrumChart(view: View) {
  const element = h("div", { class: "cw-spectrum-lines", "data-testid": "spectrum" });
  let shown: ShownSpectra | null = null;
  const chart = createLineChart(element, () => {
    if (!shown) return null;
    const { limits, frequencies, lines, band } = shown;
    // The last band has the diagonal waves beyond Nyquist; one that has no coefficient has no power.
    const bands = frequencies.map((_, i) => i).filter((i) => (limits[i] ?? NYQUIST) < NYQUIST);
    const series = lines.map(({ name, spectrum }) => ({
      name,
      values: bands.map((i) => spectrum.power[i] ?? Number.NaN),
    }));
    // Lines are drawn over bands that have none: a small frame has few coefficients.
    const known = bands
      .map((_, at) => at)
      .filter((at) => series.some(({ values }) => values[at] !== undefined && !Number.isNaN(values[at])));
    const all = series.flatMap(({ values }) => values).filter((value) => value > 0);
    if (all.length === 0) return null;
    const most = Math.max(...all);
    const least = Math.min(...all.filter((value) => value >= most * LEAST));
    const scale: Scale = { ends: [least / PAD, most * PAD], side: "left", label: power, isLog: true };
    const drawn = series.map(
      ({ name, values }): Line => ({
        name,
        values: known.map((at) => ((values[at] ?? 0) >= least ? (values[at] as number) : Number.NaN)),
        scale,
        points: "alone",
        isJoined: true,
      }),
    );
    const centroid = lines.find(({ name }) => name === "selection")?.spectrum.centroid ?? null;
    return {
      left: LEFT,
      right: RIGHT,
      ends: [0, NYQUIST],
      places: known.map((at) => frequencies[bands[at] as number] as number),
      space: 48,
      label: (at) => String(Number(at.toFixed(2))),
      scales: [scale],
      lines: drawn,
      span: band && { from: band[0], to: Math.min(band[1], NYQUIST) },
      marks: centroid === null ? [] : [{ at: centroid, isDashed: true }],
    };
  });
  const draw = view.painter(chart.draw);
  view.whenResized(element, draw);
  return {
    element,
    along: chart.along,
    show(now: ShownSpectra | null) {
      shown = now;
      draw();
    },
  };
}

/** A power of ten as it is written; another number as all are. */
function power(value: number): string {
  const exponent = Math.round(Math.log10(value));
  if (Number(`1e${exponent}`) !== value) return number(value);
  const digits = String(Math.abs(exponent)).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)] ?? digit);
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}
