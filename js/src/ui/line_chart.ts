// Lines over whole numbers or given places, in SVG: axes with round numbers, and lines that break where a value is not known
// (NaN) or has no end.
import { ticks } from "d3-array";
import { attribute, svg, zoomOf } from "./dom";

export interface Scale {
  /** The values at the bottom and at the top. */
  ends: readonly [number, number];
  /** Where its axis stands; a scale may have none. */
  side: "left" | "right" | null;
  label(value: number): string;
  /** Equal distances are equal factors: a value that is not above 0 is not known. */
  isLog?: boolean;
}

export interface Line {
  /** What it is of: `total` is drawn with the styles of `cw-line-total`. */
  name: string;
  values: ArrayLike<number>;
  scale: Scale;
  /** A point at each value, or where both neighbours are not known: a line needs two. */
  points: "all" | "alone";
  isJoined: boolean;
}

/** A line from the bottom to the top. */
export interface Mark {
  at: number;
  isDashed: boolean;
}

/** An area from the bottom to the top. */
export interface Span {
  from: number;
  to: number;
}

export interface Chart {
  /** From the edges to the lines, in CSS pixels. */
  left: number;
  right: number;
  /** What stands at the left and at the right end. */
  ends: readonly [number, number];
  /** Where the values of the lines are, if not at whole numbers from 0. */
  places?: ArrayLike<number>;
  /** Between the numbers below, in CSS pixels. */
  space: number;
  label(at: number): string;
  scales: readonly Scale[];
  lines: readonly Line[];
  marks?: readonly Mark[];
  span?: Span | null;
}

const [TOP, BOTTOM] = [8, 22];
const ROW = 24;

/** Draws into `element` what `wanted` gives, in the size that `element` has. */
export function createLineChart(element: HTMLElement, wanted: () => Chart | null) {
  const plot = svg("svg", { class: "cw-lines", "aria-hidden": "true" });
  element.append(plot);
  let drawn: Chart | null = null;
  const draw = () => {
    const { clientWidth: width, clientHeight: height } = element;
    if (element.hidden || width < 40 || height < 40) return;
    drawn = wanted();
    attribute(plot, "viewBox", `0 0 ${width} ${height}`);
    plot.replaceChildren(...(drawn ? shapes(drawn, width, height) : []));
  };
  /** The place under the pointer. */
  const along = (clientX: number): number | null => {
    if (!drawn) return null;
    const { left: start, width } = plot.getBoundingClientRect();
    const { left, right, ends } = drawn;
    const zoom = zoomOf(element);
    const share = ((clientX - start) / zoom - left) / (width / zoom - left - right);
    return ends[0] + share * (ends[1] - ends[0]);
  };
  return {
    draw,
    along,
    /** The whole number under the pointer. */
    at(clientX: number): number | null {
      const place = along(clientX);
      return place === null ? null : Math.round(place);
    },
  };
}

function shapes(chart: Chart, width: number, height: number): SVGElement[] {
  const { left, right, ends, places, space, label, scales, lines, marks = [], span } = chart;
  const [inner, bottom] = [width - left - right, height - BOTTOM];
  const x = (at: number) => left + ((at - ends[0]) / (ends[1] - ends[0])) * inner;
  const placeOf = (at: number) => (places ? (places[at] ?? Number.NaN) : at);
  const y = (scale: Scale, value: number) => {
    const [low, high] = scaled(scale, scale.ends) as [number, number];
    const [at = Number.NaN] = scaled(scale, [value]);
    return bottom - ((at - low) / (high - low)) * (bottom - TOP);
  };
  const text = (words: string, at: number, down: number, anchor: string) => {
    const element = svg("text", { x: at, y: down, "text-anchor": anchor });
    element.textContent = words;
    return element;
  };
  const path = (name: string, d: string) => svg("path", { class: name, d });
  const numbers = (scale: Scale) => {
    const [low, high] = scaled(scale, scale.ends) as [number, number];
    const found = ticks(low, high, Math.max(1, (bottom - TOP) / ROW));
    if (!scale.isLog) return found;
    const powers = found.filter(Number.isInteger).map((power) => Number(`1e${power}`));
    return powers.length > 1 ? powers : ticks(...scale.ends, Math.max(1, (bottom - TOP) / ROW));
  };
  const below = ticks(...ends, inner / space).filter((at) => places || Number.isInteger(at));
  const grid = scales.find(({ side }) => side === "left");
  return [
    ...(span
      ? [path("cw-chart-span", `M${x(span.from)} ${TOP}H${x(span.to)}V${bottom}H${x(span.from)}Z`)]
      : []),
    path(
      "cw-lines-grid",
      [
        ...(grid ? numbers(grid).map((value) => `M${left - 4} ${y(grid, value)}H${width - right}`) : []),
        ...below.map((at) => `M${x(at)} ${TOP}V${bottom + 4}`),
      ].join(""),
    ),
    ...below.map((at) => text(label(at), x(at), height - 5, "middle")),
    ...scales.flatMap((scale) => {
      const [at, anchor] = scale.side === "left" ? [left - 8, "end"] : [width - right + 6, "start"];
      const shown = scale.side ? numbers(scale) : [];
      return shown.map((value) =>
        text(scale.label(value), at as number, y(scale, value) + 4, anchor as string),
      );
    }),
    ...lines.flatMap(({ name, values: given, scale, points, isJoined }) => {
      const values = scale.isLog ? Array.from(given, (value) => (value > 0 ? value : Number.NaN)) : given;
      const place = (at: number) =>
        `${x(placeOf(at)).toFixed(1)} ${y(scale, values[at] as number).toFixed(1)}`;
      const pieces = isJoined ? stretches(values) : [];
      const along = pieces.map(([first, last]) => {
        const places = Array.from({ length: last - first + 1 }, (_, i) => place(first + i));
        return { line: `M${places.join("L")}`, foot: `V${bottom}H${x(placeOf(first))}Z` };
      });
      const dots = points === "alone" ? alone(values) : known(values);
      return [
        path(`cw-area cw-area-${name}`, along.map(({ line, foot }) => line + foot).join("")),
        path(`cw-chart-line cw-line-${name}`, along.map(({ line }) => line).join("")),
        // A stroke of no length with round ends.
        path(`cw-point cw-line-${name}`, dots.map((at) => `M${place(at)}h0`).join("")),
      ];
    }),
    ...marks.map(({ at, isDashed }) =>
      path(`cw-chart-mark${isDashed ? " cw-dashed" : ""}`, `M${x(at)} ${TOP}V${bottom}`),
    ),
  ];
}

/** Numbers as far from each other as they are on the axis. */
function scaled({ isLog }: Scale, values: readonly number[]): readonly number[] {
  return isLog ? values.map(Math.log10) : values;
}

function known(values: ArrayLike<number>): number[] {
  return Array.from({ length: values.length }, (_, at) => at).filter((at) => Number.isFinite(values[at]));
}

/** The first and last place of each stretch of known values with two or more. */
function stretches(values: ArrayLike<number>): [number, number][] {
  const found: [number, number][] = [];
  for (const at of known(values)) {
    const last = found.at(-1);
    if (last && last[1] === at - 1) last[1] = at;
    else found.push([at, at]);
  }
  return found.filter(([first, last]) => last > first);
}

/** The places of values that stand alone. */
export function alone(values: ArrayLike<number>): number[] {
  const places = new Set(known(values));
  return [...places].filter((at) => !places.has(at - 1) && !places.has(at + 1));
}
