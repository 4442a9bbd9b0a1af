// Requests to the kernel. A view has at most one request in flight and one queued; a newer request replaces the queued
// one. Every request ends with an answer or an error, or is sent again, also after a cancelled job, a running cell, a
// lost message or a dead kernel: no view waits for ever.
import { type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import { own } from "./data";
import { isShutDown } from "./host";
import type { Answer, Body, FromKernel, FromPage } from "./messages";
import type { Model } from "./model";
import { same } from "./same";
import { BACKGROUND, type View } from "./views";

export type { View } from "./views";

export type Kind = Body["kind"];
export type BodyOf<K extends Kind> = Extract<Body, { kind: K }>;
export type AnswerOf<K extends Kind> = Extract<Answer, { kind: K }>;
export interface Handlers<K extends Kind> {
  reply(answer: AnswerOf<K>, data: Uint8Array, seconds: number): void;
  /** The answer to a request that a newer one has replaced: true of its own label, no longer wanted. */
  late?(answer: AnswerOf<K>, data: Uint8Array): void;
  failed(message: string): void;
}

/** A request in flight, for the status line. */
export interface Activity {
  view: View;
  body: Body;
  since: number;
  /** Asked for before it is needed: nobody waits for it. */
  ahead: boolean;
  done: number;
  total: number;
}

export interface Haste {
  /** How long a newer request of the view waits for this one to finish before it is cancelled. */
  patience?: number | undefined;
  ahead?: boolean | undefined;
}

interface Pending {
  view: View;
  body: Body;
  handlers: Handlers<Kind>;
  patience: number;
  ahead: boolean;
  ids: number[];
  since: number;
  heard: number;
  done: number;
  total: number;
  superseded: boolean;
  cancelled: boolean;
  /** The kernel cancelled it; it will be sent again after a pause. */
  resting: boolean;
  retries: number;
  /** How long to wait, after the kernel has answered a ping, before it is sent again. */
  wait: number;
  askAgainAt: number;
}

interface Slot {
  inFlight: Pending | null;
  queued: Pending | null;
}

export const SILENCE = 20_000;
export const GONE = "The kernel is gone: run the cell again";
const TICK = 1_000;
/** How often, in ms, to check whether the host still has a kernel; this sends no message. */
const LOOK_UP = 2_000;
const RETRY_AFTER = 250;
const RETRIES = 4;

// Every page of a notebook hears every reply: ids start at random so that two pages never share one.
let lastId = Math.floor(Math.random() * 2 ** 31) * 2 ** 20;

export class RequestClient {
  readonly activity: ReadonlySignal<Activity[]>;
  readonly background: ReadonlySignal<Activity | null>;
  /** Milliseconds since the kernel was last heard while something waits for it; 0 when all is well. */
  readonly silent: ReadonlySignal<number>;
  readonly gone: ReadonlySignal<boolean>;
  readonly last: ReadonlySignal<{ kind: Kind; seconds: number } | null>;
  #activity: Signal<Activity[]> = signal([]);
  #background: Signal<Activity | null> = signal(null);
  #silent = signal(0);
  #gone = signal(false);
  #last: Signal<{ kind: Kind; seconds: number } | null> = signal(null);
  #model: Model;
  #slots = new Map<View, Slot>();
  #heard = 0;
  #ping = { id: 0, sent: 0 };
  #ticker: ReturnType<typeof setInterval> | undefined;
  #timers = new Set<ReturnType<typeof setTimeout>>();
  #lookUp: ReturnType<typeof setInterval>;

  constructor(model: Model) {
    this.#model = model;
    this.activity = this.#activity;
    this.background = this.#background;
    this.silent = this.#silent;
    this.gone = this.#gone;
    this.last = this.#last;
    model.on("msg:custom", this.#receive);
    model.on("comm:close", this.#lose);
    // Jupyter's widget manager has let go of all models, at a restart or when it has given up to reconnect.
    model.on("comm_live_update", this.#lose);
    // A shutdown has no event: look for it.
    this.#lookUp = setInterval(() => isShutDown(model) && this.#lose(), LOOK_UP);
  }

  /** `ahead`: it is not needed yet. Until it is asked for without, nobody is said to wait for it. */
  ask<K extends Kind>(
    view: View,
    body: BodyOf<K>,
    handlers: Handlers<K>,
    { patience = 0, ahead = false }: Haste = {},
  ): void {
    const now = Date.now();
    const pending: Pending = {
      view,
      body,
      handlers: handlers as unknown as Handlers<Kind>,
      patience,
      ahead,
      ids: [],
      since: now,
      heard: now,
      done: 0,
      total: 0,
      superseded: false,
      cancelled: false,
      resting: false,
      retries: 0,
      wait: SILENCE,
      askAgainAt: Number.POSITIVE_INFINITY,
    };
    const slot = this.#slot(view);
    if (slot.inFlight === null || slot.inFlight.resting) {
      slot.inFlight = pending;
      this.#send(pending);
      return;
    }
    if (!slot.inFlight.cancelled && same(slot.inFlight.body, body)) {
      // Already in flight (a prefetch, or a request made again): only its handlers change.
      slot.inFlight.handlers = pending.handlers;
      slot.inFlight.superseded = false;
      slot.queued = null;
      if (slot.inFlight.ahead && !ahead) {
        Object.assign(slot.inFlight, { ahead, since: now });
        this.#publish();
      }
      return;
    }
    slot.queued = pending;
    this.#supersede(slot.inFlight);
  }

  /** Cancels the view's requests. */
  drop(view: View): void {
    const slot = this.#slot(view);
    slot.queued = null;
    if (slot.inFlight?.resting) this.#next(slot);
    else if (slot.inFlight) this.#supersede(slot.inFlight);
  }

  /** Whether a view has something in flight. */
  waiting(view: View): boolean {
    return this.#activity.value.some((activity) => activity.view === view);
  }

  dispose(): void {
    for (const { inFlight } of this.#slots.values()) if (inFlight) this.#cancel(inFlight);
    this.#slots.clear();
    clearInterval(this.#ticker);
    clearInterval(this.#lookUp);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#model.off("msg:custom", this.#receive);
    this.#model.off("comm:close", this.#lose);
    this.#model.off("comm_live_update", this.#lose);
  }

  #slot(view: View): Slot {
    const slot = this.#slots.get(view) ?? { inFlight: null, queued: null };
    this.#slots.set(view, slot);
    return slot;
  }

  #post(message: FromPage): boolean {
    if (this.#gone.peek()) return false;
    try {
      this.#model.send(message);
      return true;
    } catch {
      this.#lose();
      return false;
    }
  }

  #lose = () => {
    if (this.#gone.peek()) return;
    this.#gone.value = true;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    const pending = [...this.#slots.values()].flatMap((slot) => slot.queued ?? slot.inFlight ?? []);
    this.#slots.clear();
    this.#silent.value = 0;
    this.#publish();
    for (const { handlers } of pending) handlers.failed(GONE);
  };

  #send(pending: Pending): void {
    const id = ++lastId;
    pending.ids.push(id);
    pending.heard = Date.now();
    pending.askAgainAt = Number.POSITIVE_INFINITY;
    if (this.#gone.peek()) {
      this.#slot(pending.view).inFlight = null;
      pending.handlers.failed(GONE);
      return;
    }
    if (!this.#post({ type: "request", id, view: pending.view, body: pending.body })) return;
    this.#ticker ??= setInterval(this.#tick, TICK);
    this.#publish();
  }

  #supersede(pending: Pending): void {
    if (pending.superseded) return;
    pending.superseded = true;
    const left = pending.since + pending.patience - Date.now();
    if (left <= 0) this.#cancel(pending);
    else
      this.#later(left, () => {
        if (pending.superseded && this.#slot(pending.view).inFlight === pending) this.#cancel(pending);
      });
  }

  #cancel(pending: Pending): void {
    if (pending.cancelled) return;
    pending.cancelled = true;
    for (const id of pending.ids) this.#post({ type: "cancel", id });
  }

  #later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }

  #next(slot: Slot): void {
    slot.inFlight = slot.queued;
    slot.queued = null;
    if (slot.inFlight) this.#send(slot.inFlight);
    else this.#publish();
  }

  #receive = (message: FromKernel, buffers: DataView[] = []) => {
    const now = Date.now();
    this.#heard = now;
    this.#silent.value = 0;
    if (message.id === this.#ping.id) return this.#alive(now);
    for (const slot of this.#slots.values()) {
      const pending = slot.inFlight;
      if (!pending?.ids.includes(message.id)) continue;
      pending.heard = now;
      this.#dispatch(slot, pending, message, buffers);
      return;
    }
  };

  #dispatch(slot: Slot, pending: Pending, message: FromKernel, buffers: DataView[]): void {
    if (message.type === "progress") {
      pending.done = message.done;
      pending.total = message.total;
      pending.askAgainAt = Number.POSITIVE_INFINITY;
      this.#publish();
      return;
    }
    // An older copy of a request that was asked twice: the newer copy still answers.
    if (message.type === "cancelled" && message.id !== pending.ids.at(-1) && !pending.superseded) return;
    const { superseded, handlers } = pending;
    if (message.type === "cancelled" && !superseded && pending.retries < RETRIES) {
      pending.retries += 1;
      pending.resting = true;
      this.#later(RETRY_AFTER * pending.retries, () => {
        if (slot.inFlight !== pending) return;
        pending.resting = false;
        this.#send(pending);
      });
      return;
    }
    this.#next(slot);
    if (message.type === "cancelled") {
      if (!superseded) handlers.failed("The kernel gave up this request");
    } else if (message.type === "error") {
      if (!superseded) handlers.failed(message.message);
    } else if (!same(message.of, pending.body) || message.body.kind !== pending.body.kind) {
      if (!superseded) handlers.failed("The kernel answered for something else");
    } else {
      const data = own(buffers[0]);
      if (superseded) {
        handlers.late?.(message.body, data);
        return;
      }
      if (!pending.ahead && !BACKGROUND.includes(pending.view))
        this.#last.value = { kind: message.body.kind, seconds: message.seconds };
      handlers.reply(message.body, data, message.seconds);
    }
  }

  /** A running cell delays all messages: after a silence, send a cheap request, whose answer says that it has ended. */
  #tick = () => {
    const now = Date.now();
    const pending = [...this.#slots.values()].flatMap((slot) => slot.inFlight ?? []);
    if (pending.length === 0) {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
      this.#silent.value = 0;
      return;
    }
    const overdue = pending.filter(({ heard }) => now - heard >= SILENCE);
    if (overdue.length === 0) return;
    const silence = now - Math.max(this.#heard, Math.min(...overdue.map(({ heard }) => heard)));
    this.#silent.value = silence >= SILENCE ? silence : 0;
    for (const request of overdue) {
      if (now < request.askAgainAt) continue;
      // Its answer was lost. A kernel that is only slow takes the new copy in place of the old one, so each copy is
      // given twice the time of the one before.
      if (request.superseded) this.#next(this.#slot(request.view));
      else this.#send(request);
    }
    if (now - this.#ping.sent < Math.max(SILENCE, (now - this.#heard) / 4)) return;
    this.#ping = { id: ++lastId, sent: now };
    this.#post({ type: "request", id: this.#ping.id, view: "palettes", body: { kind: "palettes" } });
  };

  #alive(now: number): void {
    this.#ping.id = 0;
    for (const { inFlight } of this.#slots.values()) {
      if (!inFlight || now - inFlight.heard < SILENCE || inFlight.askAgainAt < Number.POSITIVE_INFINITY)
        continue;
      inFlight.askAgainAt = now + inFlight.wait;
      inFlight.wait *= 2;
    }
  }

  #publish(): void {
    const all = [...this.#slots.values()].flatMap(({ inFlight }) =>
      inFlight === null
        ? []
        : [
            {
              view: inFlight.view,
              body: inFlight.body,
              since: inFlight.since,
              ahead: inFlight.ahead,
              done: inFlight.done,
              total: inFlight.total,
            },
          ],
    );
    this.#activity.value = all.filter(({ view }) => !BACKGROUND.includes(view));
    this.#background.value = all.find(({ view }) => view === "faithfulness") ?? null;
  }
}
