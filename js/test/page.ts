// What the tests share: a model that records, canvases that can be read, and a page to put a view on.
import { vi } from "vitest";
import widget from "../src/index";
import type { Answer, Body, FromKernel, FromPage, Request } from "../src/transport/messages";
import { palettes } from "./formulas";
import { makeAnswer } from "./stand_in_answers";
import { type CanvasOptions, canvasInfo } from "./stand_in_canvas";
import { StandInModel } from "./stand_in_model";

export const OPTIONS: CanvasOptions = {
  frames: 8,
  height: 16,
  width: 32,
};
export const LAYER = "decoder.1.conv.upconv.0";

export function state(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const neuron = "neuron" in changes ? changes.neuron : [3, 17];
  return {
    _canvas: canvasInfo(OPTIONS),
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
export class ManualModel extends StandInModel {
  readonly saves: Record<string, unknown>[] = [];
  readonly seen: (Record<string, number> | undefined)[] = [];
  #unsaved: Record<string, unknown> = {};

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
    this.python({ rule, _canvas: { ...canvasInfo(OPTIONS), rule } });
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

  reply({ id, body }: Request, changes: Partial<Answer> = {}, data?: Uint8Array, seconds = 0.01): void {
    const made = makeAnswer(body, OPTIONS);
    const bytes = data ?? made.data;
    // The data in the middle of a larger buffer, and padding after it.
    const whole = new Uint8Array(bytes.length + 40).fill(201);
    whole.set(bytes, 24);
    const buffers = [new DataView(whole.buffer, 24, bytes.length), new DataView(new ArrayBuffer(64))];
    this.say(
      { type: "reply", id, seconds, of: reordered(body), body: { ...made.answer, ...changes } as Answer },
      buffers,
    );
  }

  /** Answers everything that waits, until nothing does. */
  settle(kinds?: Body["kind"][]): void {
    const done = this.#answered;
    for (let i = 0; i < this.sent.length; i++) {
      const message = this.sent[i];
      if (message?.type !== "request" || done.has(message.id)) continue;
      if (kinds && !kinds.includes(message.body.kind)) continue;
      done.add(message.id);
      this.reply(message);
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

export { palettes };
