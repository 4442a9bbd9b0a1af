// A well-formed answer of every kind, for tests that need some answer at once; its numbers mean nothing. What answers
// must be is tested against the kernel (`tests/kernel`) and the saved page (`tests/browser/test_page.py`).
import type { Answer, Body } from "../src/transport/messages";
import { ANCHORS, levels, mapValues, noise, palettes, scene, seedOf } from "./formulas";
import { type CanvasOptions, LAYERS } from "./stand_in_canvas";

function neuronAt(shape: number[], index: number): number[] {
  return shape.length === 1 ? [index] : [Math.floor(index / (shape[1] ?? 1)), index % (shape[1] ?? 1)];
}

function clusterOf(neuron: number[], n: number): number {
  return Math.floor(noise(seedOf({ layer: "", neuron, neurons: [], cluster: -1, n_clusters: n }) + 0.77) * n);
}

/** The neurons of a layer, the strongest first. */
const byStrength = new WeakMap<object, number[][]>();

export function makeAnswer(
  body: Body,
  { height, width }: CanvasOptions,
): { answer: Answer; data: Uint8Array } {
  switch (body.kind) {
    case "palettes":
      return {
        answer: { kind: "palettes", names: Object.keys(ANCHORS), diverging: ["RdBu_r"] },
        data: palettes(),
      };
    case "thumbnails": {
      const { time, layer, neurons, side } = body;
      const size = { height: Math.round((side * height) / width), width: side };
      const none = neurons.map(() => 0);
      return {
        answer: {
          kind: "thumbnails",
          time,
          layer,
          ...size,
          low: none,
          high: neurons.map(() => 1),
          totals: none,
        },
        data: new Uint8Array(neurons.length * size.height * size.width).fill(9),
      };
    }
    case "bars": {
      const { time, pixel, neurons } = body;
      return {
        answer: { kind: "bars", time, pixel, values: neurons.map((_, i) => i - 1) },
        data: new Uint8Array(),
      };
    }
    case "pairs": {
      const layer = LAYERS.find(({ name }) => name === body.layer);
      const count = (layer?.neurons ?? []).reduce((product, n) => product * n, 1);
      // Each neuron's counterpart is the one before it.
      const places = Int32Array.from({ length: count }, (_, i) => i - 1);
      const correlations = Float32Array.from(places, (place) => (place < 0 ? Number.NaN : 0.5));
      const data = new Uint8Array(8 * count);
      data.set(new Uint8Array(places.buffer), 0);
      data.set(new Uint8Array(correlations.buffer), 4 * count);
      return {
        answer: { kind: "pairs", time: body.time, layer: body.layer, other_layer: body.layer },
        data,
      };
    }
    case "run_curve": {
      const { time, runs } = body;
      const totals = runs.map((_, i) => i + 1);
      const none = runs.map(() => null);
      return {
        answer: { kind: "run_curve", time, runs, totals, psnr: none, faithfulness: none },
        data: new Uint8Array(),
      };
    }
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
      if (body.source === "ablated") {
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
          half_width: 0,
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
      const seed = { total: 0.1, change: 0.2, difference: 0.6, index: 0.3, pixel: 0.4, region: 0.5 }[
        body.sort
      ];
      const at = (body.pixel ?? [0, 0]).reduce((a, b) => a * 0.7 + b, 0);
      const values = Float32Array.from({ length: n }, (_, i) => noise(i * 0.37 + seed + at + body.time) ** 4);
      const { time, sort, pixel } = body;
      return {
        answer: { kind: "values", time, layer: body.layer, sort, pixel, half_width: 0 },
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
    case "faithfulness": {
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
