// A stand-in for the anywidget model and the kernel behind it: synthetic pictures, real delays, every kind of answer.

import { Events } from "../src/page/events";
import type {
  Answer,
  Body,
  CanvasInfo,
  FromKernel,
  FromPage,
  LayerInfo,
  Selection,
} from "../src/transport/messages";
import type { Model } from "../src/transport/model";

export interface FakeOptions {
  frames: number;
  height: number;
  width: number;
  delay: number;
  /** Requests of these kinds fail, or are never answered. */
  failing: Set<string>;
  silent: Set<string>;
}

export class FakeModel extends Events implements Model {
  readonly sent: FromPage[] = [];
  #state: Record<string, unknown>;
  #answer: (message: FromPage, reply: (message: FromKernel, data?: Uint8Array) => void) => void;

  constructor(state: Record<string, unknown>, answer: FakeModel["answer"] = () => {}) {
    super();
    this.#state = state;
    this.#answer = answer;
  }

  get answer() {
    return this.#answer;
  }

  get(name: string): unknown {
    return this.#state[name];
  }

  set(name: string, value: unknown): void {
    if (this.#state[name] === value) return;
    this.#state[name] = value;
    this.emit(`change:${name}`);
  }

  /** Several at once, as a host takes them from a message. */
  assign(values: Record<string, unknown>): void {
    const names = Object.keys(values).filter((name) => this.#state[name] !== values[name]);
    for (const name of names) this.#state[name] = values[name];
    for (const name of names) this.emit(`change:${name}`);
  }

  save_changes(): void {}

  send(content: unknown): void {
    const message = content as FromPage;
    this.sent.push(message);
    this.#answer(message, (reply, data) => {
      // As on the wire: the data somewhere inside a larger buffer, then padding.
      const whole = new Uint8Array((data?.length ?? 0) + 64);
      whole.set(data ?? [], 16);
      const buffers = [
        new DataView(whole.buffer, 16, data?.length ?? 0),
        new DataView(new ArrayBuffer(1000)),
      ];
      this.emit("msg:custom", reply, data ? buffers : []);
    });
  }
}

const WHY = "rule 'xinc' does not follow this layer to the colours";

/** A layer as messages have it: kernels where `neurons` has two lengths, else units. */
export function layerInfo(name: string, neurons: number[], grid: number[], why = ""): LayerInfo {
  const op = neurons.length === 2 ? "conv2d" : "linear";
  return { name, op, neurons, n_groups: 1, grid, why_no_colours: why, each_colour: why === "" };
}

const LAYERS = [
  layerInfo("stem.0", [160], [1, 1], WHY),
  layerInfo("decoder.0.conv.upconv.0", [24, 144], [16, 32], WHY),
  layerInfo("decoder.1.conv.upconv.0", [36, 96], [32, 64], WHY),
  layerInfo("decoder.2.conv.upconv.0", [96, 192], [64, 128], WHY),
  layerInfo("head", [48, 3], [128, 256]),
];

export function canvasInfo({ height, width, frames }: FakeOptions): CanvasInfo {
  return {
    title: "big buck bunny, NeRV-S",
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

function noise(seed: number): number {
  const x = Math.sin(seed * 127.1 + 11.7) * 43758.5453;
  return x - Math.floor(x);
}

function seedOf(selection: Selection): number {
  const neuron = selection.neuron ?? selection.neurons.at(-1);
  return neuron ? neuron.reduce((s, n) => s * 31 + n, 7) : 3 + selection.cluster;
}

/** A few soft blobs with a ripple, moving with time; signed for neurons. */
function mapValues(height: number, width: number, seed: number, time: number, signed: boolean): Float32Array {
  const out = new Float32Array(height * width);
  const blobs = Array.from({ length: 3 }, (_, b) => ({
    y: noise(seed + b * 3.1) * height,
    x: ((noise(seed + b * 5.7) + time * 0.012 * (b + 1)) % 1) * width,
    r: (0.06 + 0.14 * noise(seed + b * 9.2)) * width,
    a: (signed && b === 1 ? -1 : 1) * (0.3 + noise(seed + b)),
  }));
  const angle = noise(seed + 0.3) * Math.PI;
  const wave = 2 + 6 * noise(seed + 0.9);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const ripple =
        0.6 +
        0.4 *
          Math.sin(((x * Math.cos(angle) + y * Math.sin(angle)) / width) * wave * 2 * Math.PI + time * 0.2);
      let value = 0;
      for (const { y: cy, x: cx, r, a } of blobs)
        value += a * Math.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * r * r)) * ripple;
      out[y * width + x] = value * 0.05 * (0.2 + noise(seed + 0.5));
    }
  return out;
}

function levels(values: Float32Array): { low: number; high: number; data: Uint8Array } {
  let [low, high] = [0, 1e-9];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return { low, high, data: Uint8Array.from(values, (v) => Math.round(((v - low) / (high - low)) * 255)) };
}

function scene(height: number, width: number, time: number, soft: boolean): Uint8Array {
  const data = new Uint8Array(height * width * 3);
  const sunX = width * (0.2 + 0.02 * time);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const hill = height * (0.62 + 0.1 * Math.sin(x / 37 + time * 0.05) + 0.05 * Math.sin(x / 11));
      const near = height * (0.8 + 0.06 * Math.sin(x / 23 - time * 0.1));
      const sun = Math.exp(-((x - sunX) ** 2 + (y - height * 0.25) ** 2) / 250);
      let rgb = [120 + 90 * (y / height) + 120 * sun, 165 + 50 * (y / height) + 80 * sun, 225 - 30 * sun];
      if (y > hill) rgb = [70 + 20 * Math.sin(x / 5), 120 + 18 * Math.sin(x / 7 + y / 3), 80];
      if (y > near) rgb = [48, 92 + 30 * noise(x * 3.3 + y * 7.7) * (soft ? 0.4 : 1), 44];
      data.set(
        rgb.map((v) => Math.max(0, Math.min(255, v))),
        (y * width + x) * 3,
      );
    }
  return data;
}

const ANCHORS: Record<string, number[][]> = {
  viridis: [
    [68, 1, 84],
    [59, 82, 139],
    [33, 145, 140],
    [94, 201, 98],
    [253, 231, 37],
  ],
  magma: [
    [0, 0, 4],
    [81, 18, 124],
    [183, 55, 121],
    [252, 137, 97],
    [252, 253, 191],
  ],
  cividis: [
    [0, 34, 78],
    [64, 77, 107],
    [124, 123, 120],
    [187, 173, 108],
    [254, 232, 56],
  ],
  gray: [
    [0, 0, 0],
    [255, 255, 255],
  ],
  RdBu_r: [
    [5, 48, 97],
    [67, 147, 195],
    [247, 247, 247],
    [214, 96, 77],
    [103, 0, 31],
  ],
};

export function palettes(): Uint8Array {
  const out: number[] = [];
  for (const anchors of Object.values(ANCHORS))
    for (let i = 0; i < 256; i++) {
      const at = (i / 255) * (anchors.length - 1);
      const [a, b] = [anchors[Math.floor(at)], anchors[Math.ceil(at)]];
      for (let c = 0; c < 3; c++)
        out.push(Math.round((a?.[c] ?? 0) + (at % 1) * ((b?.[c] ?? 0) - (a?.[c] ?? 0))));
    }
  return Uint8Array.from(out);
}

function neuronAt(shape: number[], index: number): number[] {
  return shape.length === 1 ? [index] : [Math.floor(index / (shape[1] ?? 1)), index % (shape[1] ?? 1)];
}

function clusterOf(neuron: number[], n: number): number {
  return Math.floor(noise(seedOf({ layer: "", neuron, neurons: [], cluster: -1, n_clusters: n }) + 0.77) * n);
}

/** The neurons of a layer, the strongest first. */
const byStrength = new WeakMap<object, number[][]>();

export function makeAnswer(body: Body, { height, width }: FakeOptions): { answer: Answer; data: Uint8Array } {
  switch (body.kind) {
    case "palettes":
      return {
        answer: { kind: "palettes", names: Object.keys(ANCHORS), diverging: ["RdBu_r"] },
        data: palettes(),
      };
    case "recipe":
      return { answer: { kind: "recipe", text: "w = cw.CanvasWidget(model)\n" }, data: new Uint8Array() };
    case "frame": {
      const base = { kind: "frame", time: body.time, source: body.source, height, width } as const;
      if (body.source === "error") {
        const [a, b] = [scene(height, width, body.time, true), scene(height, width, body.time, false)];
        const off = new Float32Array(height * width).map(
          (_, i) => Math.abs((a[i * 3 + 1] ?? 0) - (b[i * 3 + 1] ?? 0)) / 255,
        );
        const { low, high, data } = levels(off);
        return { answer: { ...base, channels: 1, low, high, psnr: 31.27, psnr_before: null }, data };
      }
      if (body.source === "difference") {
        const { low, high, data } = levels(mapValues(height, width, 5, body.time, true));
        return { answer: { ...base, channels: 1, low, high, psnr: 24.1, psnr_before: 31.27 }, data };
      }
      if (body.source === "without") {
        const data = scene(height, width, body.time, true).map((v, i) => (i % 3 === 0 ? v / 2 : v));
        return { answer: { ...base, channels: 3, low: 0, high: 1, psnr: 24.1, psnr_before: 31.27 }, data };
      }
      const data = scene(height, width, body.time, body.source === "reconstruction");
      const psnr = body.source === "reconstruction" ? 31.27 : null;
      return { answer: { ...base, channels: 3, low: 0, high: 1, psnr, psnr_before: null }, data };
    }
    case "map": {
      const values = mapValues(
        height,
        width,
        seedOf(body.selection),
        body.time,
        body.selection.neuron !== null,
      );
      const { low, high, data } = levels(values);
      const total = values.reduce((sum, v) => sum + Math.abs(v), 0);
      if (body.selection.neuron)
        return { answer: { ...body, height, width, low, high, total, signed_range: [] }, data };
      const signed = levels(mapValues(height, width, seedOf(body.selection), body.time, true));
      const both = new Uint8Array(2 * data.length);
      both.set(data);
      both.set(signed.data, data.length);
      const signed_range = [signed.low, signed.high];
      return { answer: { ...body, height, width, low, high, total, signed_range }, data: both };
    }
    case "grid": {
      const layer = LAYERS.find(({ name }) => name === body.layer) as (typeof LAYERS)[number];
      const all = Array.from({ length: layer.neurons.reduce((a, b) => a * b, 1) }, (_, i) =>
        neuronAt(layer.neurons, i),
      );
      const value = (n: number[]) =>
        noise(seedOf({ layer: "", neuron: n, neurons: [], cluster: -1, n_clusters: 0 }) + 0.5) ** 4 * 90;
      const sorted = byStrength.get(layer) ?? [...all].sort((a, b) => value(b) - value(a));
      byStrength.set(layer, sorted);
      const strongest = sorted.slice(0, 12);
      let order = body.sort === "index" ? all : sorted;
      if (body.cluster >= 0) order = order.filter((n) => clusterOf(n, body.n_clusters) === body.cluster);
      const neurons = order.slice(body.first, body.first + body.count);
      const [h, w] = [Math.round((body.side * height) / width), body.side];
      const thumb = (neuron: number[]) => {
        const seed = seedOf({ layer: "", neuron, neurons: [], cluster: -1, n_clusters: 0 });
        return levels(mapValues(h, w, seed, body.time, true).map((v) => (v * value(neuron)) / 90));
      };
      const thumbs = neurons.map(thumb);
      const reach = strongest.map(thumb).map(({ low, high }) => Math.max(-low, high));
      const place = order.findIndex((n) => String(n) === String(body.find));
      const data = new Uint8Array(thumbs.length * h * w);
      thumbs.forEach((thumb, i) => void data.set(thumb.data, i * h * w));
      return {
        answer: {
          kind: "grid",
          time: body.time,
          layer: body.layer,
          first: body.first,
          n_neurons: order.length,
          neurons,
          values: neurons.map(value),
          height: h,
          width: w,
          low: thumbs.map(({ low }) => low),
          high: thumbs.map(({ high }) => high),
          totals: neurons.map(value),
          scale: Math.max(...reach),
          top_total: Math.max(...strongest.map(value)),
          place: place < 0 ? null : place,
          warning: "",
        },
        data,
      };
    }
    case "pixel": {
      const [y = 0, x = 0] = body.pixel;
      const neurons = Array.from({ length: body.k }, (_, i) => {
        const layer = LAYERS[Math.floor(noise(i + y * 0.7) * LAYERS.length)] as (typeof LAYERS)[number];
        const n = Math.floor(noise(i * 1.7 + x) * layer.neurons.reduce((a, b) => a * b, 1));
        const value = (noise(i + x + y) > 0.3 ? 1 : -1) * 0.21 * 0.84 ** i;
        return {
          layer: layer.name,
          neuron: neuronAt(layer.neurons, n),
          value,
          magnitude: Math.abs(value),
          share: Math.abs(value) * 0.8,
        };
      });
      const selected = body.selection.neuron
        ? (mapValues(height, width, seedOf(body.selection), body.time, true)[y * width + x] ?? 0)
        : null;
      return {
        answer: {
          kind: "pixel",
          time: body.time,
          pixel: body.pixel,
          channel: "sum",
          ranked_at: body.pixel,
          rgb: [0.41, 0.55, 0.72],
          truth: [0.42, 0.55, 0.7],
          selected,
          selected_signed: selected,
          neurons,
          layers: LAYERS.map(({ name, neurons: shape }) => {
            const n = shape.reduce((a, b) => a * b, 1);
            return {
              layer: name,
              n_neurons: n,
              total: 1.2,
              n50: Math.ceil(n * 0.02),
              n90: Math.ceil(n * 0.21),
              counts: Array.from({ length: 20 }, (_, i) => Math.round(n ** (i / 19))),
              shares: Array.from({ length: 20 }, (_, i) => 1 - (1 - i / 19) ** 2),
            };
          }),
        },
        data: new Uint8Array(0),
      };
    }
    case "regions": {
      const areas = body.regions.map((_, i) => 0.05 + 0.1 * i);
      const shares = body.regions.map((_, i) => (0.1 + 0.5 * noise(i + seedOf(body.selection))) / (i + 1));
      const deltas = shares.map((share, i) => share / (areas[i] ?? 1) - 1);
      const { kind, time, selection } = body;
      return { answer: { kind, time, selection, shares, areas, deltas }, data: new Uint8Array(0) };
    }
    case "export":
      return { answer: { kind: "export", name: `view.${body.form}` }, data: Uint8Array.from([1, 2, 3]) };
    case "curve":
      return {
        answer: {
          kind: "curve",
          frames: body.frames,
          changes: body.frames.map((t) => (t === 0 ? null : 3 + 2 * Math.sin(t / 3) ** 2)),
          totals: body.frames.map((t) => 20 + 6 * Math.sin(t / 4 + seedOf(body.selection)) + 2 * noise(t)),
        },
        data: new Uint8Array(0),
      };
    case "strip": {
      const [h, w] = [Math.round((body.side * height) / width), body.side];
      const data = new Uint8Array(body.frames.length * h * w * 3);
      body.frames.forEach((time, i) => void data.set(scene(h, w, time, true), i * h * w * 3));
      return { answer: { kind: "strip", frames: body.frames, height: h, width: w }, data };
    }
    case "scatter": {
      const layer = LAYERS.find(({ name }) => name === body.layer) as (typeof LAYERS)[number];
      const n = layer.neurons.reduce((a, b) => a * b, 1);
      const points = new Float32Array(2 * n);
      for (let i = 0; i < n; i++) {
        const c = clusterOf(neuronAt(layer.neurons, i), 8);
        points[2 * i] = (c % 3) * 0.3 + 0.05 + 0.25 * noise(i * 1.3) * noise(i * 3.7);
        points[2 * i + 1] = Math.floor(c / 3) * 0.3 + 0.05 + 0.25 * noise(i * 2.9) * noise(i * 5.3);
      }
      return { answer: body, data: new Uint8Array(points.buffer) };
    }
    case "values": {
      const layer = LAYERS.find(({ name }) => name === body.layer) as (typeof LAYERS)[number];
      const n = layer.neurons.reduce((a, b) => a * b, 1);
      const seed = { total: 0.1, change: 0.2, index: 0.3, pixel: 0.4, region: 0.5 }[body.sort];
      const at = (body.pixel ?? [0, 0]).reduce((a, b) => a * 0.7 + b, 0);
      const values = Float32Array.from({ length: n }, (_, i) => noise(i * 0.37 + seed + at + body.time) ** 4);
      const { time, sort, pixel } = body;
      return {
        answer: { kind: "values", time, layer: body.layer, sort, pixel },
        data: new Uint8Array(values.buffer),
      };
    }
    case "rules": {
      const { time, selection } = body;
      const maps = ["xinc", "gated", "ablation"].map((rule, i) => {
        const values = mapValues(height, width, seedOf(selection) + i * 0.01, time, true);
        const total = values.reduce((sum, v) => sum + Math.abs(v), 0);
        const correlation = rule === "ablation" ? null : 0.4 + 0.5 * i;
        return {
          rule,
          total,
          each_colour: rule !== "xinc",
          correlation,
          map: levels(values),
          difference: rule === "ablation" ? null : levels(values),
        };
      });
      const data = maps.flatMap(({ map, difference }) => [...map.data, ...(difference?.data ?? [])]);
      const range = (one: { low: number; high: number } | null) => one && { low: one.low, high: one.high };
      const told = maps.map((one) => ({
        ...one,
        why: "",
        map: range(one.map),
        difference: range(one.difference),
      }));
      return {
        answer: { kind: "rules", time, selection, height, width, maps: told },
        data: Uint8Array.from(data),
      };
    }
    case "trust": {
      const layer = LAYERS.find(({ name }) => name === body.layer) as (typeof LAYERS)[number];
      const totals = { value: 0.963, low: 0.941, high: 0.978 };
      const pixels = { value: 0.91, low: 0.88, high: 0.93 };
      const n_neurons = layer.neurons.reduce((a, b) => a * b, 1);
      const measured = Math.min(64, n_neurons);
      const { kind, time: frame, layer: name } = body;
      return {
        answer: { kind, rule: body.rule, layer: name, frame, measured, n_neurons, totals, pixels },
        data: new Uint8Array(0),
      };
    }
    case "clusters": {
      const layer = LAYERS.find(({ name }) => name === body.layer) as (typeof LAYERS)[number];
      const n = layer.neurons.reduce((a, b) => a * b, 1);
      const data = Uint8Array.from({ length: n }, (_, i) =>
        clusterOf(neuronAt(layer.neurons, i), body.n_clusters),
      );
      const counts = Array.from(
        { length: body.n_clusters },
        (_, c) => data.filter((label) => label === c).length,
      );
      const exemplars = counts.map((_, c) => neuronAt(layer.neurons, data.indexOf(c)));
      const { n_clusters } = body;
      const [h, w] = [Math.round((64 * height) / width), 64];
      const thumbs = exemplars.map((neuron) => {
        const selection = { layer: "", neuron, neurons: [], cluster: -1, n_clusters: 0 };
        return levels(mapValues(h, w, seedOf(selection), body.time, true));
      });
      const all = new Uint8Array(n + thumbs.length * h * w);
      all.set(data);
      thumbs.forEach((thumb, i) => void all.set(thumb.data, n + i * h * w));
      const [low, high] = [thumbs.map((thumb) => thumb.low), thumbs.map((thumb) => thumb.high)];
      const shown = { counts, exemplars, height: h, width: w, low, high };
      return {
        answer: { kind: "clusters", frame: body.time, layer: body.layer, n_clusters, ...shown },
        data: all,
      };
    }
  }
}

/** Answers as the kernel does: one job at a time, cancelled jobs said to be so, progress on the long ones. */
export function fakeKernel(options: FakeOptions): ConstructorParameters<typeof FakeModel>[1] {
  const cancelled = new Set<number>();
  let last = Promise.resolve();
  const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
  return (message, reply) => {
    if (message.type === "painted") return;
    if (message.type === "cancel") return void cancelled.add(message.id);
    const { id, body } = message;
    if (options.silent.has(body.kind)) return;
    last = last.then(async () => {
      const cost = {
        palettes: 5,
        export: 800,
        recipe: 1,
        frame: 12,
        map: 40,
        grid: 90,
        pixel: 60,
        regions: 20,
        curve: 30,
        strip: 30,
        clusters: 1500,
        scatter: 400,
        values: 60,
        rules: 300,
        trust: 3000,
      }[body.kind];
      const steps = body.kind === "clusters" ? 15 : 1;
      for (let step = 0; step < steps; step++) {
        if (cancelled.has(id)) return reply({ type: "cancelled", id });
        if (steps > 1) reply({ type: "progress", id, done: step, total: steps });
        await sleep((cost * options.delay) / steps);
      }
      if (cancelled.has(id)) return reply({ type: "cancelled", id });
      if (options.failing.has(body.kind))
        return reply({
          type: "error",
          id,
          message: `rule 'ablation' can't trace decoder.2: 18,432 kernels need 6.2 GiB, memory is 1 GiB`,
        });
      const { answer, data } = makeAnswer(body, options);
      reply({ type: "reply", id, seconds: (cost * options.delay) / 1000, of: body, body: answer }, data);
    });
  };
}
