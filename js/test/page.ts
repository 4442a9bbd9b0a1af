// What the tests share: a model that records, canvases that can be read, and a page to put a view on.
import { vi } from "vitest";
import widget from "../src/index";
import { PageModel } from "../src/page/model";
import type { Answered } from "../src/page/saved_page";
import type { Answer, Body, FromKernel, FromPage, Request } from "../src/transport/messages";
import { answerTo, arrays, CANVAS, PAGE } from "./fixture";

/** The layer whose neurons the page keeps, all of them, and one of these. */
export const [LAYER, NEURON] = [PAGE.state.layer as string, PAGE.state.neuron as number[]];
const nameOf = (at: number) => CANVAS.layers[at]?.name ?? "";
/** A layer of 864 neurons, of which the page keeps two; the layer after `LAYER`; the last layer. */
export const [BIG, NEXT, HEAD] = [nameOf(0), nameOf(2), nameOf(4)] as const;

export function state(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const neuron = "neuron" in changes ? changes.neuron : NEURON;
  return {
    _canvas: CANVAS,
    layer: LAYER,
    time: 2,
    neuron,
    neurons: neuron ? [neuron] : [],
    pixel: null,
    region: null,
    cluster: -1,
    n_clusters: 6,
    rule: "xinc",
    ablated: {},
    source: "reconstruction",
    maps: "magnitude",
    palette: "viridis",
    opacity: 1,
    contrast: 1,
    sort: "total",
    playing: false,
    loop: null,
    cluster_names: {},
    fps: 8,
    ...changes,
  };
}

/** A model whose kernel answers only when the test says so. */
export class ManualModel extends PageModel {
  readonly sent: FromPage[] = [];
  readonly saves: Record<string, unknown>[] = [];
  readonly seen: (Record<string, number> | undefined)[] = [];
  #unsaved: Record<string, unknown> = {};

  constructor(state: Record<string, unknown>) {
    super(state, answerTo);
  }

  override send(content: unknown): void {
    this.sent.push(content as FromPage);
  }

  override set(name: string, value: unknown): void {
    this.#unsaved[name] = value;
    super.set(name, value);
  }

  override save_changes(): void {
    const { _seen, ...values } = this.#unsaved;
    this.saves.push(values);
    this.seen.push(_seen as Record<string, number> | undefined);
    this.#unsaved = {};
  }

  /** Python sets traits: all are there before anybody hears of one, and their number comes with them. */
  python(values: Record<string, unknown>): void {
    const number = 1 + Math.max(0, ...Object.values((this.get("_changes") ?? {}) as Record<string, number>));
    const numbers = Object.fromEntries(Object.keys(values).map((name) => [name, number]));
    this.assign({ ...values, _changes: { ...(this.get("_changes") ?? {}), ...numbers } });
  }

  /** Python chooses another rule, or answers that the page has: its layers come with it. */
  useRule(rule: string): void {
    this.python({ rule, _canvas: { ...CANVAS, rule } });
  }

  requests(kind?: Body["kind"]): Request[] {
    return this.sent.filter((m): m is Request => m.type === "request" && (!kind || m.body.kind === kind));
  }

  last(kind: Body["kind"]): Request {
    const request = this.requests(kind).at(-1);
    if (!request) throw new Error(`no ${kind} was asked for`);
    return request;
  }

  cancels(): number[] {
    return this.sent.flatMap((m: FromPage) => (m.type === "cancel" ? [m.id] : []));
  }

  say(message: FromKernel, buffers: DataView[] = []): void {
    this.emit("msg:custom", message, buffers);
  }

  /** As the fixture answers, but for some changes; where it refuses, `data` and `changes` are all of the answer. */
  async reply({ id, body }: Request, changes: Partial<Answer> = {}, data?: Uint8Array, seconds = 0.01) {
    const made = await answerTo(body).catch((error: Error) => error.message);
    if (typeof made === "string" && !data) return this.say({ type: "error", id, message: made });
    const { kind } = body;
    const whole = { ...(typeof made === "string" ? { kind } : made.answer), ...changes } as Answer;
    const bytes = data ?? (made as Answered).data;
    // The data in the middle of a larger buffer, and padding after it.
    const buffer = new Uint8Array(bytes.length + 40).fill(201);
    buffer.set(bytes, 24);
    const buffers = [new DataView(buffer.buffer, 24, bytes.length), new DataView(new ArrayBuffer(64))];
    this.say({ type: "reply", id, seconds, of: reordered(body), body: whole }, buffers);
  }

  /** Answers everything that waits, until nothing does. */
  async settle(kinds?: Body["kind"][]): Promise<void> {
    const done = this.#answered;
    for (let i = 0; i < this.sent.length; i++) {
      const message = this.sent[i];
      if (message?.type !== "request" || done.has(message.id)) continue;
      if (kinds && !kinds.includes(message.body.kind)) continue;
      done.add(message.id);
      await this.reply(message);
    }
  }
  #answered = new Set<number>();
}

/** The same with its fields in another order: the kernel writes them in an order of its own. */
function reordered<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(reordered) as T;
  const fields = Object.entries(value).map(([name, part]) => [name, reordered(part)]);
  return Object.fromEntries(fields.reverse()) as T;
}

export const painted = new WeakMap<HTMLCanvasElement, Uint8ClampedArray>();

/** happy-dom draws nothing: keep the pixels that are put. */
export function stubCanvas(): void {
  const context = (canvas: HTMLCanvasElement) => ({
    createImageData: (width: number, height: number) => ({
      width,
      height,
      data: new Uint8ClampedArray(width * height * 4),
    }),
    putImageData: (image: { data: Uint8ClampedArray }) => void painted.set(canvas, image.data),
  });
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (this: HTMLCanvasElement) {
    return context(this) as unknown as RenderingContext;
  } as never);
}

/** Every element reports this box, so that pointer positions mean something. */
export function stubBox(width = 320, height = 160): void {
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({
    left: 0,
    top: 0,
    x: 0,
    y: 0,
    width,
    height,
    right: width,
    bottom: height,
    toJSON: () => "",
  });
  for (const [name, value] of [
    ["clientWidth", width],
    ["clientHeight", height],
  ] as const)
    vi.spyOn(HTMLElement.prototype, name, "get").mockReturnValue(value);
}

/** The model as a host hands it out: a new object each time. */
function wrapped(model: ManualModel) {
  const { get, set, save_changes, on, off, send } = Object.fromEntries(
    (["get", "set", "save_changes", "on", "off", "send"] as const).map((name) => [
      name,
      (...values: unknown[]) => (model[name] as (...all: unknown[]) => unknown).apply(model, values),
    ]),
  );
  return { get, set, save_changes, on, off, send } as never;
}

export function show(model: ManualModel) {
  const close = widget.initialize({ model: wrapped(model) });
  const again = () => {
    const el = document.createElement("div");
    document.body.append(el);
    const stop = widget.render({ model: wrapped(model), el });
    let gone = false;
    const remove = () => {
      if (gone) return;
      gone = true;
      stop();
      el.remove();
    };
    return { el, remove };
  };
  const { el, remove } = again();
  const find = <E extends HTMLElement>(selector: string) => {
    const element = el.querySelector<E>(selector);
    if (!element) throw new Error(`${selector} is not on the page`);
    return element;
  };
  return {
    el,
    find,
    again,
    remove,
    close() {
      remove();
      close();
    },
  };
}

/** The colour tables, one after the other. */
const palettes = await arrays.bytes(PAGE.palettes.data);
export function palette(name: string): Uint8Array {
  const at = PAGE.palettes.answer.names.indexOf(name);
  return palettes.subarray(at * 768, (at + 1) * 768);
}
