// What a saved page answers, beside plain loops over what it keeps.
import { describe, expect, it } from "vitest";
import { BakedRuns } from "../src/page/baked_runs";
import type { Kept } from "../src/page/saved_page";
import { savedOf } from "../src/state/saved";
import type {
  Body,
  CurveReply,
  FrameReply,
  GridReply,
  GridRequest,
  MapReply,
  Selection,
  Sort,
} from "../src/transport/messages";
import { BAKED, byTotal, labelsOf } from "./baked";
import { arrays, CANVAS, PAGE } from "./fixture";
import { BIG, HEAD, LAYER, NEURON } from "./page";

const answers = new BakedRuns(PAGE, arrays);
const COMMON = { run: null, rule: "xinc", time: 2 } as const;
const [HEIGHT, WIDTH] = [4, 8]; // of the maps that it keeps, a quarter of the frame's
const OTHER = [5, 3];

async function ask<A>(body: Body): Promise<{ answer: A; data: Uint8Array }> {
  const { answer, data } = await answers.answer(body);
  return { answer: answer as A, data };
}

const selected = (neurons: number[][]): Selection => ({
  layer: LAYER,
  neuron: neurons.length === 1 ? (neurons[0] ?? null) : null,
  neurons: neurons.length === 1 ? [] : neurons,
  cluster: -1,
  n_clusters: 6,
});

/** What the page keeps of a neuron. */
function keptOf(neuron: number[]): Kept {
  const found = BAKED.selections.find((one) => one.layer === LAYER && String(one.neuron) === String(neuron));
  if (!found) throw new Error(`the fixture does not keep neuron ${neuron}`);
  return found;
}

/** The map of a neuron at a frame, from its levels. */
async function mapOf(neuron: number[], time: number): Promise<number[]> {
  const kept = keptOf(neuron);
  const levels = await arrays.bytes(kept.planes[0] ?? -1);
  const [low, high] = [kept.low[0]?.[time] ?? 0, kept.high[0]?.[time] ?? 0];
  const values: number[] = [];
  for (let i = 0; i < HEIGHT * WIDTH; i++)
    values.push(low + ((levels[time * HEIGHT * WIDTH + i] ?? 0) * (high - low)) / 255);
  return values;
}

/** A map at the frame's size: linear between the middles of its pixels. */
function enlarged(values: number[]): number[] {
  const found: number[] = [];
  const between = (place: number, last: number) => Math.max(0, Math.min(last, (place + 0.5) / 4 - 0.5));
  const at = (y: number, x: number) =>
    values[Math.min(y, HEIGHT - 1) * WIDTH + Math.min(x, WIDTH - 1)] ?? Number.NaN;
  for (let i = 0; i < CANVAS.height * CANVAS.width; i++) {
    const y = between(Math.floor(i / CANVAS.width), HEIGHT - 1);
    const x = between(i % CANVAS.width, WIDTH - 1);
    const [top, left] = [Math.floor(y), Math.floor(x)];
    const [v, u] = [y - top, x - left];
    const above = at(top, left) * (1 - u) + at(top, left + 1) * u;
    found.push(above * (1 - v) + (at(top + 1, left) * (1 - u) + at(top + 1, left + 1) * u) * v);
  }
  return found;
}

/** That levels stand for values, to a level and a half: both are rounded. */
function expectLevels(levels: Uint8Array, [low = 0, high = 0]: number[], values: number[]): void {
  const step = (high - low) / 255;
  const off = values.map((value, i) => Math.abs(low + (levels[i] ?? Number.NaN) * step - value) / step);
  expect(levels).toHaveLength(values.length);
  expect(Math.max(...off)).toBeLessThan(1.5);
}

describe("maps of a saved page", () => {
  it("are of one neuron what it keeps, at the frame's size", async () => {
    for (const time of [0, 2, 7]) {
      const body = { kind: "map", ...COMMON, time, selection: selected([NEURON]) } as const;
      const { answer, data } = await ask<MapReply>(body);
      expectLevels(data, [answer.low, answer.high], enlarged(await mapOf(NEURON, time)));
      expect(answer.total).toBe(keptOf(NEURON).totals[time]);
    }
  });

  it("are of several neurons the sum of their magnitudes, then with signs", async () => {
    const body = { kind: "map", ...COMMON, selection: selected([NEURON, OTHER]) } as const;
    const { answer, data } = await ask<MapReply>(body);
    const [a, b] = [await mapOf(NEURON, 2), await mapOf(OTHER, 2)];
    const magnitudes = a.map((value, i) => Math.abs(value) + Math.abs(b[i] ?? 0));
    const size = CANVAS.height * CANVAS.width;
    expectLevels(data.subarray(0, size), [answer.low, answer.high], enlarged(magnitudes));
    const signed = a.map((value, i) => value + (b[i] ?? 0));
    expectLevels(data.subarray(size), answer.signed_range, enlarged(signed));
  });

  it("have curves over time: totals add up, changes of several neurons are not known", async () => {
    const frames = [0, 1, 2, 3, 4, 5, 6, 7];
    const curve = async (neurons: number[][]) => {
      const body = { kind: "curve", run: null, rule: "xinc", frames, selection: selected(neurons) } as const;
      return (await ask<CurveReply>(body)).answer;
    };
    const [one, both] = [await curve([NEURON]), await curve([NEURON, OTHER])];
    const [a, b] = [keptOf(NEURON), keptOf(OTHER)];
    expect(one).toMatchObject({ totals: a.totals, changes: a.changes });
    expect(both.totals).toEqual(a.totals.map((total, time) => total + (b.totals[time] ?? 0)));
    expect(new Set(both.changes)).toEqual(new Set([null]));
  });
});

describe("neurons of a saved page", () => {
  const grid = (changes: Partial<GridRequest>) => {
    const whole = {
      kind: "grid",
      ...COMMON,
      layer: LAYER,
      cluster: -1,
      n_clusters: 6,
      channel: "sum",
    } as const;
    const first = { sort: "total", pixel: null, region: null, first: 0, count: 96, side: 8 } as const;
    return ask<GridReply>({ ...whole, ...first, ...changes } as GridRequest);
  };
  const every = byTotal(LAYER, 2).map(({ neuron }) => neuron);
  const box = { points: [[4, 8], [4, 16], [12, 16], [12, 8]], runs: [] }; // biome-ignore format: corners
  const pixel = [9, 21];

  it.each(["total", "index", "change", "pixel", "region"] as Sort[])("are sorted by %s", async (sort) => {
    const keyOf = async (neuron: number[]) => {
      const kept = keptOf(neuron);
      const map = await mapOf(neuron, 2);
      let inside = 0;
      for (let y = 1; y < 3; y++) for (let x = 2; x < 4; x++) inside += 16 * (map[y * WIDTH + x] ?? 0);
      const [total, change] = [kept.totals[2] ?? 0, kept.changes[2] ?? 0];
      const index = (neuron[0] ?? 0) * 16 + (neuron[1] ?? 0);
      return {
        total,
        change,
        index,
        pixel: map[2 * WIDTH + 5] ?? 0,
        region: inside,
        difference: 0,
        frequency: 0,
      }[sort];
    };
    const { answer } = await grid({ sort, pixel, region: box });
    const values = await Promise.all(answer.neurons.map(keyOf));
    expect(new Set(answer.neurons.map(String))).toEqual(new Set(every.map(String)));
    answer.values.forEach((value, i) => void expect(value).toBeCloseTo(values[i] ?? Number.NaN, 4));
    const sizes = sort === "index" ? values.map((value) => -value) : values.map(Math.abs);
    for (let i = 1; i < sizes.length; i++) expect(sizes[i]).toBeLessThanOrEqual((sizes[i - 1] ?? 0) + 1e-6);
  });

  it("are sorted by a region as small as a pixel, and by one whose edge is in the middles of pixels", async () => {
    const corner = { points: [[4, 8], [4, 9], [5, 9], [5, 8]], runs: [] }; // biome-ignore format: corners
    const edged = { points: [[4.5, 8.5], [4.5, 12.5], [7.5, 12.5], [7.5, 8.5]], runs: [] }; // biome-ignore format: corners
    const map = await mapOf(NEURON, 2);
    const at = (answer: GridReply) =>
      answer.values[answer.neurons.findIndex((neuron) => String(neuron) === String(NEURON))];
    const [one, several] = [
      await grid({ sort: "region", region: corner }),
      await grid({ sort: "region", region: edged }),
    ];
    expect(at(one.answer)).toBeCloseTo(map[WIDTH + 2] ?? Number.NaN, 5);
    // Four rows of four pixels on one of the map's, and of one on its neighbour.
    expect(at(several.answer)).toBeCloseTo(16 * (map[WIDTH + 2] ?? 0) + 4 * (map[WIDTH + 3] ?? 0), 4);
  });

  it("have no change at a first frame whose next is not kept", async () => {
    const frames = [0, 4, 6];
    const info = { ...BAKED.info, saved: { ...savedOf(BAKED.info), frames } } as typeof BAKED.info;
    const sparse = new BakedRuns({ ...PAGE, baked: [{ ...BAKED, info }] }, arrays);
    const body = {
      kind: "grid",
      ...COMMON,
      time: 0,
      layer: LAYER,
      cluster: -1,
      n_clusters: 6,
      channel: "sum",
    } as const;
    const order = { sort: "change", pixel: null, region: null, first: 0, count: 3, side: 8 } as const;
    const { answer } = await sparse.answer({ ...body, ...order } as GridRequest);
    expect((answer as GridReply).values).toEqual([null, null, null]);
  });

  it("have thumbnails on one scale, and are counted by cluster", async () => {
    const { answer, data } = await grid({ first: 10, count: 5 });
    expect(answer.neurons).toEqual(every.slice(10, 15));
    for (const [i, neuron] of answer.neurons.entries()) {
      const range = [answer.low[i] ?? 0, answer.high[i] ?? 0];
      expectLevels(data.slice(i * 32, (i + 1) * 32), range, await mapOf(neuron, 2));
    }
    let scale = 0;
    for (const neuron of every)
      for (const value of await mapOf(neuron, 2)) scale = Math.max(scale, Math.abs(value));
    expect(answer.scale).toBeCloseTo(scale, 6);
    expect(answer.top_total).toBe(byTotal(LAYER, 2)[0]?.total);
    const labels = await labelsOf(LAYER);
    const members = every.filter(([row = 0, column = 0]) => labels[16 * row + column] === 1);
    const found = await grid({ cluster: 1, find: members[3] as number[] });
    expect(found.answer.neurons).toEqual(members);
    expect([found.answer.n_neurons, found.answer.place]).toEqual([members.length, 3]);
  });
});

describe("pictures of a saved page", () => {
  it("have an error, the mean difference of the colours", async () => {
    const frame = (source: FrameReply["source"]) =>
      ask<FrameReply>({ kind: "frame", run: null, time: 3, source });
    const [{ data: ours }, { data: truth }] = [await frame("reconstruction"), await frame("truth")];
    const { answer, data } = await frame("error");
    const errors: number[] = [];
    for (let i = 0; i < ours.length; i += 3) {
      let sum = 0;
      for (let c = i; c < i + 3; c++) sum += Math.abs((ours[c] ?? 0) - (truth[c] ?? 0)) / 255;
      errors.push(sum / 3);
    }
    expectLevels(data, [answer.low, answer.high], errors);
    expect([answer.low, answer.psnr]).toEqual([0, BAKED.psnr[3]]);
  });
});

describe("what a saved page does not keep", () => {
  const bodies: [keyof typeof PAGE.needs, Record<string, unknown>][] = [
    ["selection", { kind: "map", selection: { ...selected([[5, 5]]), layer: BIG } }],
    ["overlay", { kind: "map", selection: { ...selected([NEURON]), overlay: "neurons" } }],
    ["colours", { kind: "map", selection: { ...selected([NEURON]), layer: HEAD, channel: "red" } }],
    ["frames", { kind: "map", time: 9, selection: selected([NEURON]) }],
    ["rules", { kind: "map", rule: "gated", selection: selected([NEURON]) }],
    ["runs", { kind: "map", run: 7, selection: selected([NEURON]) }],
    ["clusters", { kind: "clusters", layer: LAYER, n_clusters: 5 }],
    ["faithfulness", { kind: "faithfulness", layer: HEAD }],
    ["source", { kind: "frame", source: "ablated" }],
    ["source", { kind: "frame", source: "quantisation", quantised: { bits: 4, scheme: "per-tensor" } }],
    ["rules", { kind: "rules", selection: selected([NEURON]) }],
    ["pairs", { kind: "pairs", layer: LAYER, other: 7 }],
    ["regions", { kind: "regions", selection: selected([NEURON]), regions: [] }],
    ["export", { kind: "export", form: "pdf" }],
    ["scatter", { kind: "scatter", layer: LAYER, method: "pca" }],
    ["scatter", { kind: "values", layer: LAYER, sort: "total" }],
  ];
  it.each(bodies)("is said: %s of %j", async (need, body) => {
    await expect(answers.answer({ ...COMMON, ...body } as unknown as Body)).rejects.toThrow(PAGE.needs[need]);
  });
});
