// What the kernel would answer, from what a saved page took along; `canvaswidget/exports/precomputed.py` made it. What the
// page was not given it says: such words are thrown as errors.
import { framesOf } from "../state/saved";
import { flatIndex, layerOf } from "../state/selection";
import { NO_CLUSTER } from "../transport/constants";
import type {
  BarsRequest,
  Body,
  CurveRequest,
  FrameRequest,
  GridRequest,
  MapReply,
  MapRequest,
  PixelRequest,
  Selection,
  StripRequest,
  ThumbnailsRequest,
} from "../transport/messages";
import { same } from "../transport/same";
import { rankedAt } from "./ranked";
import { sumInside } from "./region";
import { enlarge, fitted, quantise, type Size, shrink } from "./resize";
import type { Answered, Baked, Kept, SavedPage } from "./saved_page";
import { type Arrays, joined } from "./unpacking";

const NOTHING = new Uint8Array(0);

/** Those of one run. */
export class Answers {
  #page: SavedPage;
  #baked: Baked;
  #arrays: Arrays;
  #size: Size;
  #frames: readonly number[];

  constructor(page: SavedPage, baked: Baked, arrays: Arrays) {
    this.#page = page;
    this.#baked = baked;
    this.#arrays = arrays;
    this.#size = { height: baked.info.height, width: baked.info.width };
    this.#frames = framesOf(baked.info);
  }

  /** Where a frame stands among those that the page keeps. */
  #at(time: number): number {
    const at = this.#frames.indexOf(time);
    if (at < 0) throw new Error(this.#page.needs.frames);
    return at;
  }

  answer(body: Body): Promise<Answered> {
    if ("rule" in body && body.rule !== this.#baked.info.rule)
      return Promise.reject(new Error(this.#page.needs.rules));
    switch (body.kind) {
      case "frame":
        return this.#frame(body);
      case "map":
        return this.#map(body);
      case "grid":
        return this.#grid(body);
      case "pixel":
        return this.#pixel(body);
      case "curve":
        return this.#curve(body);
      case "strip":
        return this.#strip(body);
      case "bars":
        return this.#bars(body);
      case "thumbnails":
        return this.#thumbnails(body);
      case "clusters":
        return this.#clusters(body.layer, body.n_clusters);
      case "faithfulness":
        return this.#faithfulness(body.layer);
      case "region_neurons":
        return Promise.reject(new Error(this.#page.needs.regions));
      case "regions":
      case "export":
      case "rules":
      case "pairs":
        return Promise.reject(new Error(this.#page.needs[body.kind]));
      case "picture_spectra":
      case "selection_spectrum":
        return Promise.reject(new Error(this.#page.needs.spectrum));
      case "agreement":
        return Promise.reject(new Error(this.#page.needs.faithfulness));
      default:
        return Promise.reject(new Error(this.#page.needs.scatter));
    }
  }

  // --- pictures -------------------------------------------------------------------------------------------------

  async #picture(time: number, source: "reconstruction" | "truth"): Promise<Uint8Array> {
    const index = this.#baked.pictures[source];
    if (index === undefined) throw new Error(this.#page.needs.source);
    const [, , height = 1, width = 1] = this.#arrays.shape(index);
    const bytes = 3 * height * width;
    const [all, at] = [await this.#arrays.bytes(index), this.#at(time)];
    return enlarge(all.subarray(at * bytes, (at + 1) * bytes), { height, width }, this.#size, 3);
  }

  async #frame({ time, source }: FrameRequest): Promise<Answered> {
    if (["ablated", "difference", "quantisation"].includes(source)) throw new Error(this.#page.needs.source);
    const base = { kind: "frame", time, source, ...this.#size, psnr_before: null } as const;
    const psnr = this.#baked.psnr[this.#at(time)] ?? null;
    if (source === "error") {
      const ours = await this.#picture(time, "reconstruction");
      const truth = await this.#picture(time, "truth");
      const off = new Float32Array(ours.length / 3);
      ours.forEach((value, i) => {
        const at = Math.floor(i / 3);
        off[at] = (off[at] ?? 0) + Math.abs(value - (truth[i] ?? 0)) / 765;
      });
      const { low, high, levels } = quantise(off, 0);
      return { answer: { ...base, channels: 1, low, high, psnr }, data: levels };
    }
    const data = await this.#picture(time, source === "truth" ? "truth" : "reconstruction");
    return { answer: { ...base, channels: 3, low: 0, high: 1, psnr }, data };
  }

  async #strip({ frames, side }: StripRequest): Promise<Answered> {
    const size = fitted(this.#size, side);
    const bytes = size.height * size.width * 3;
    const data = new Uint8Array(frames.length * bytes);
    for (const [i, time] of frames.entries()) {
      const small = shrink(await this.#picture(time, "reconstruction"), this.#size, size, 3);
      data.set(
        small.map((value) => Math.round(value)),
        i * bytes,
      );
    }
    return { answer: { kind: "strip", frames, ...size }, data };
  }

  // --- maps -----------------------------------------------------------------------------------------------------

  #kept({ layer, neuron, cluster, n_clusters }: Selection): Kept {
    const { selections, clusters } = this.#baked;
    if (!neuron && cluster >= 0 && clusters[0]?.answer.n_clusters !== n_clusters)
      throw new Error(this.#page.needs.clusters);
    const found = selections.find(
      (one) =>
        one.layer === layer &&
        (neuron ? same(one.neuron, neuron) : one.neuron === null && one.cluster === cluster),
    );
    if (!found) throw new Error(this.#page.needs.selection);
    return found;
  }

  /** Several neurons one by one, else the one selection there is. */
  #parts(selection: Selection): Kept[] {
    if (selection.overlay && selection.overlay !== "selection") throw new Error(this.#page.needs.overlay);
    if (selection.band) throw new Error(this.#page.needs.spectrum);
    if (selection.channel && selection.channel !== "sum") throw new Error(this.#page.needs.colours);
    if (selection.neurons.length === 0) return [this.#kept(selection)];
    return selection.neurons.map((neuron) => this.#kept({ ...selection, neuron, neurons: [] }));
  }

  /** One plane of a selection at a frame, at the size it is kept in. */
  async #plane(kept: Kept, plane: number, time: number) {
    const index = kept.planes[plane] ?? -1;
    const [, height = 1, width = 1] = this.#arrays.shape(index);
    const size = height * width;
    const all = await this.#arrays.bytes(index);
    const at = this.#at(time);
    const levels = all.subarray(at * size, (at + 1) * size);
    return { levels, height, width, low: kept.low[plane]?.[at] ?? 0, high: kept.high[plane]?.[at] ?? 0 };
  }

  async #values(kept: Kept, time: number) {
    const { levels, low, high, height, width } = await this.#plane(kept, 0, time);
    const step = (high - low) / 255;
    return { height, width, values: Float32Array.from(levels, (level) => low + level * step) };
  }

  async #map({ time, selection }: MapRequest): Promise<Answered> {
    const parts = this.#parts(selection);
    const head = { kind: "map", time, selection, by: "", sampled: null, ...this.#size } as const;
    const total = parts.reduce((sum, { totals }) => sum + (totals[this.#at(time)] ?? 0), 0);
    if (parts.length > 1) return this.#sum(parts, { ...head, total });
    const [kept] = parts as [Kept];
    const planes = await Promise.all(kept.planes.map((_, plane) => this.#plane(kept, plane, time)));
    const [first, signed] = planes;
    const data = joined(planes.map((plane) => enlarge(plane.levels, plane, this.#size)));
    const { low, high } = first ?? { low: 0, high: 0 };
    const signed_range = signed ? [signed.low, signed.high] : [];
    return { answer: { ...head, low, high, total, signed_range }, data };
  }

  async #sum(parts: Kept[], head: Omit<MapReply, "low" | "high" | "signed_range">): Promise<Answered> {
    const maps = await Promise.all(parts.map((part) => this.#values(part, head.time)));
    const [first] = maps as [(typeof maps)[0]];
    const planes = [(value: number) => Math.abs(value), (value: number) => value].map((of) => {
      const sum = new Float32Array(first.values.length);
      for (const { values } of maps)
        values.forEach((value, i) => {
          sum[i] = (sum[i] ?? 0) + of(value);
        });
      return quantise(sum);
    }) as [ReturnType<typeof quantise>, ReturnType<typeof quantise>];
    const [{ low, high }, signed] = planes;
    const data = joined(planes.map(({ levels }) => enlarge(levels, first, this.#size)));
    return { answer: { ...head, low, high, signed_range: [signed.low, signed.high] }, data };
  }

  async #curve({ frames, selection }: CurveRequest): Promise<Answered> {
    const parts = this.#parts(selection);
    const totals = frames.map((frame) => {
      const at = this.#frames.indexOf(frame);
      return at < 0 ? null : parts.reduce((sum, part) => sum + (part.totals[at] ?? 0), 0);
    });
    const changes = frames.map((frame) => {
      const at = this.#frames.indexOf(frame);
      // A change is from the frame before. How much a sum of magnitudes changes is not the sum of the changes.
      const known = parts.length === 1 && at > 0 && this.#frames[at - 1] === frame - 1;
      return known ? (parts[0]?.changes[at] ?? null) : null;
    });
    const exact = frames.map(() => 0);
    const widths = { half_widths: exact, change_half_widths: exact };
    return { answer: { kind: "curve", frames, totals, changes, ...widths }, data: NOTHING };
  }

  // --- neurons --------------------------------------------------------------------------------------------------

  async #labels(name: string): Promise<(neuron: number[]) => number> {
    const layer = layerOf(this.#baked.info, name);
    const known = this.#baked.clusters.find(({ answer }) => answer.layer === name);
    if (!layer || !known) return () => -1;
    const data = await this.#arrays.bytes(known.data);
    return (neuron) => {
      const label = data[flatIndex(layer, neuron)] ?? NO_CLUSTER;
      return label === NO_CLUSTER ? -1 : label;
    };
  }

  async #grid(body: GridRequest): Promise<Answered> {
    const { time, cluster, first, count } = body;
    const label = await this.#labels(body.layer);
    const kept = this.#baked.selections.filter(
      ({ layer, neuron }) => layer === body.layer && neuron && (cluster < 0 || label(neuron) === cluster),
    );
    const values = await Promise.all(kept.map((one) => this.#key(one, body)));
    const order = [...kept.keys()].sort((a, b) =>
      body.sort === "index"
        ? (values[a] ?? 0) - (values[b] ?? 0)
        : Math.abs(values[b] || 0) - Math.abs(values[a] || 0),
    );
    const shown = order.slice(first, first + count);
    const size = fitted(this.#size, body.side);
    const side = Math.max(size.height, size.width);
    const thumbs = await Promise.all(shown.map((at) => this.#thumb(kept[at] as Kept, time, side)));
    // One scale for the layer: that of all its neurons that the page keeps, whichever cluster they are of.
    const all = this.#baked.selections.filter(({ layer, neuron }) => layer === body.layer && neuron);
    const ranges = await Promise.all(all.map((one) => this.#thumb(one, time, side)));
    const place = order.findIndex((at) => body.find && same(kept[at]?.neuron, body.find));
    const neurons = shown.map((at) => kept[at]?.neuron ?? []);
    return {
      answer: {
        kind: "grid",
        time,
        layer: body.layer,
        first,
        n_neurons: order.length,
        neurons,
        values: shown.map((at) => (Number.isNaN(values[at]) ? null : (values[at] ?? 0))),
        ...this.#thumbSize(kept[0], side),
        low: thumbs.map(({ low }) => low),
        high: thumbs.map(({ high }) => high),
        totals: shown.map((at) => kept[at]?.totals[this.#at(time)] ?? 0),
        scale: Math.max(0, ...ranges.map(({ low, high }) => Math.max(-low, high))),
        top_total: Math.max(0, ...all.map(({ totals }) => totals[this.#at(time)] ?? 0)),
        place: place < 0 ? null : place,
        half_width: 0,
        warning: "",
      },
      data: joined(thumbs.map(({ levels }) => levels)),
    };
  }

  async #valueAt(kept: Kept, time: number, [y = 0, x = 0]: number[]): Promise<number> {
    const { values, height, width } = await this.#values(kept, time);
    const scale = { y: height / this.#size.height, x: width / this.#size.width };
    return values[Math.floor((y + 0.5) * scale.y) * width + Math.floor((x + 0.5) * scale.x)] ?? 0;
  }

  async #thumb(kept: Kept, time: number, side: number) {
    const map = await this.#values(kept, time);
    return quantise(shrink(map.values, map, fitted(map, side)));
  }

  #thumbSize(kept: Kept | undefined, side: number): Size {
    const [, height = 1, width = 1] = this.#arrays.shape(kept?.planes[0] ?? -1);
    return fitted({ height, width }, side);
  }

  async #thumbnails({ time, layer, neurons, side }: ThumbnailsRequest): Promise<Answered> {
    const alone = { layer, neurons: [], cluster: -1, n_clusters: 0 };
    const kept = neurons.map((neuron) => this.#kept({ ...alone, neuron }));
    const thumbs = await Promise.all(kept.map((one) => this.#thumb(one, time, side)));
    return {
      answer: {
        kind: "thumbnails",
        time,
        layer,
        ...this.#thumbSize(kept[0], side),
        low: thumbs.map(({ low }) => low),
        high: thumbs.map(({ high }) => high),
        totals: kept.map(({ totals }) => totals[this.#at(time)] ?? 0),
      },
      data: joined(thumbs.map(({ levels }) => levels)),
    };
  }

  /** What a neuron is sorted by. */
  async #key(kept: Kept, { sort, time, pixel, region, layer }: GridRequest): Promise<number> {
    if (sort === "index") {
      const known = layerOf(this.#baked.info, layer);
      return known && kept.neuron ? flatIndex(known, kept.neuron) : 0;
    }
    const index = this.#at(time);
    if (sort === "total") return kept.totals[index] ?? 0;
    // Of the first frame it is that to the next one, which the page may not have.
    const isNext = this.#frames[index + 1] === time + 1;
    if (sort === "change")
      return kept.changes[index] ?? (isNext ? kept.changes[index + 1] : null) ?? Number.NaN;
    if (sort === "pixel") return this.#valueAt(kept, time, pixel ?? []);
    if (!region) return 0;
    return sumInside(region, await this.#values(kept, time), this.#size);
  }

  async #clusters(layer: string, n_clusters: number): Promise<Answered> {
    const known = this.#baked.clusters.find(
      ({ answer }) => answer.layer === layer && answer.n_clusters === n_clusters,
    );
    if (!known) throw new Error(this.#page.needs.clusters);
    return { answer: known.answer, data: await this.#arrays.bytes(known.data) };
  }

  async #faithfulness(name: string): Promise<Answered> {
    const answer = this.#baked.faithfulness.find(({ layer }) => layer === name);
    if (!answer) throw new Error(this.#page.needs.faithfulness);
    return { answer, data: NOTHING };
  }

  // --- a pixel --------------------------------------------------------------------------------------------------

  async #pixel({ time, pixel, k }: PixelRequest): Promise<Answered> {
    const { info, pictures } = this.#baked;
    const [y = 0, x = 0] = pixel;
    const ranked = await rankedAt(this.#baked, this.#arrays, this.#at(time), pixel, k);
    const colour = async (source: "reconstruction" | "truth") => {
      const picture = await this.#picture(time, source);
      const from = (y * info.width + x) * 3;
      return [...picture.subarray(from, from + 3)].map((value) => value / 255);
    };
    return {
      answer: {
        kind: "pixel",
        time,
        pixel,
        channel: "sum",
        ranked_at: ranked.pixel,
        rgb: await colour("reconstruction"),
        truth: pictures.truth === undefined ? null : await colour("truth"),
        // The read-out takes it from the map's levels, and says that it is about so much.
        selected: null,
        selected_signed: null,
        neurons: ranked.neurons,
        layers: ranked.layers,
      },
      data: NOTHING,
    };
  }

  /** Of neurons that are not among the strongest, as their maps have it; nothing of those that are not kept. */
  async #bars({ time, pixel, neurons }: BarsRequest): Promise<Answered> {
    const ranked = await rankedAt(this.#baked, this.#arrays, this.#at(time), pixel, Number.POSITIVE_INFINITY);
    const values = neurons.map(async (wanted) => {
      const found = ranked.neurons.find(
        (one) => one.layer === wanted.layer && same(one.neuron, wanted.neuron),
      );
      if (found) return found.value;
      const kept = this.#baked.selections.find(
        (one) => one.layer === wanted.layer && same(one.neuron, wanted.neuron),
      );
      return kept && this.#valueAt(kept, time, pixel);
    });
    const known = (await Promise.all(values)) as number[];
    return { answer: { kind: "bars", time, pixel, values: known }, data: NOTHING };
  }
}
