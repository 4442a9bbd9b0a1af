import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RequestClient, SILENCE } from "../src/transport/client";
import { ManualModel, state } from "./page";

const body = (time: number) => ({ kind: "frame", run: null, time, source: "truth" }) as const;

function listener() {
  const heard: unknown[] = [];
  return {
    heard,
    reply: (answer: { time: number }, data: Uint8Array) =>
      void heard.push(["reply", answer.time, data.length]),
    late: (answer: { time: number }) => void heard.push(["late", answer.time]),
    failed: (message: string) => void heard.push(["failed", message]),
  };
}

describe("RequestClient", () => {
  let model: ManualModel;
  let client: RequestClient;

  beforeEach(() => {
    vi.useFakeTimers();
    model = new ManualModel(state());
    client = new RequestClient(model);
  });
  afterEach(() => {
    client.dispose();
    vi.useRealTimers();
  });

  it("keeps one request of a view in flight and only the newest waiting", async () => {
    const [a, b, c] = [listener(), listener(), listener()];
    client.ask("frame", body(0), a, { patience: 1000 });
    client.ask("frame", body(1), b, { patience: 1000 });
    client.ask("frame", body(2), c, { patience: 1000 });
    expect(model.requests().map((r) => r.body)).toEqual([body(0)]);
    await model.reply(model.last("frame"));
    expect(model.requests().map((r) => r.body)).toEqual([body(0), body(2)]);
    await model.reply(model.last("frame"));
    expect(a.heard).toEqual([["late", 0]]);
    expect(b.heard).toEqual([]);
    expect(c.heard).toEqual([["reply", 2, 16 * 32 * 3]]);
    expect(client.activity.value).toEqual([]);
  });

  it("lets views go side by side", () => {
    client.ask("frame", body(0), listener());
    client.ask(
      "pixel",
      { kind: "pixel", run: null, rule: "xinc", time: 0, pixel: [0, 0], k: 1, selection: {} as never },
      listener(),
    );
    expect(model.requests().map((r) => r.view)).toEqual(["frame", "pixel"]);
  });

  it("cancels what a newer request replaces, at once or when its patience is over", async () => {
    client.ask("frame", body(0), listener());
    const first = model.last("frame").id;
    client.ask("frame", body(1), listener());
    expect(model.cancels()).toEqual([first]);
    model.say({ type: "cancelled", id: first });
    const second = model.last("frame");
    expect(second.body).toEqual(body(1));

    await model.reply(second);
    client.ask("frame", body(2), listener(), { patience: 150 });
    client.ask("frame", body(3), listener(), { patience: 150 });
    vi.advanceTimersByTime(140);
    expect(model.cancels()).toEqual([first]);
    vi.advanceTimersByTime(20);
    expect(model.cancels()).toEqual([first, second.id + 1]);
  });

  it("does not show the late answer of a replaced request", async () => {
    const [a, b] = [listener(), listener()];
    client.ask("frame", body(0), a);
    const first = model.last("frame");
    client.ask("frame", body(1), b);
    await model.reply(first);
    expect(a.heard).toEqual([["late", 0]]);
    expect(b.heard).toEqual([]);
  });

  it("takes over what is already on its way", async () => {
    const [a, b] = [listener(), listener()];
    client.ask("frame", body(4), a);
    client.ask("frame", body(4), b);
    expect(model.requests()).toHaveLength(1);
    expect(model.cancels()).toEqual([]);
    await model.reply(model.last("frame"));
    expect(a.heard).toEqual([]);
    expect(b.heard).toEqual([["reply", 4, 16 * 32 * 3]]);
  });

  it("says that nobody waits for what is asked ahead, until it is asked for", async () => {
    client.ask("frame", body(4), listener(), { ahead: true });
    vi.advanceTimersByTime(500);
    expect(client.activity.value).toMatchObject([{ view: "frame", ahead: true }]);
    const since = Date.now();
    client.ask("frame", body(4), listener());
    expect(client.activity.value).toMatchObject([{ view: "frame", ahead: false, since }]);
    client.ask("frame", body(4), listener(), { ahead: true }); // it is still waited for
    expect(client.activity.value).toMatchObject([{ ahead: false }]);
    await model.reply(model.last("frame"));
    const told = client.last.value;
    expect(told?.kind).toBe("frame");
    client.ask("frame", body(5), listener(), { ahead: true });
    await model.reply(model.last("frame"));
    expect(client.last.value).toBe(told);
  });

  it("hands on errors, and goes on", async () => {
    const a = listener();
    client.ask("frame", body(0), a);
    model.say({ type: "error", id: model.last("frame").id, message: "no such frame" });
    expect(a.heard).toEqual([["failed", "no such frame"]]);
    client.ask("frame", body(1), a);
    await model.reply(model.last("frame"));
    expect(a.heard.at(-1)).toEqual(["reply", 1, 16 * 32 * 3]);
  });

  it("tells progress", () => {
    client.ask("frame", body(0), listener());
    model.say({ type: "progress", id: model.last("frame").id, done: 3, total: 12 });
    expect(client.activity.value[0]).toMatchObject({ view: "frame", done: 3, total: 12 });
  });

  it("asks again for what the kernel gave up unasked, and fails in the end", () => {
    const a = listener();
    client.ask("frame", body(0), a);
    for (let i = 0; i < 5; i++) {
      model.say({ type: "cancelled", id: model.last("frame").id });
      vi.advanceTimersByTime(2000);
    }
    expect(model.requests("frame")).toHaveLength(5);
    expect(a.heard).toEqual([["failed", "The kernel gave up this request"]]);
  });

  it("reads the bytes that the view names and ignores padding", () => {
    const data: Uint8Array[] = [];
    client.ask(
      "palettes",
      { kind: "palettes" },
      { reply: (_, bytes) => void data.push(bytes), failed: () => {} },
    );
    const whole = new Uint8Array([9, 9, 1, 2, 3, 9, 9]);
    const buffers = [new DataView(whole.buffer, 2, 3), new DataView(new ArrayBuffer(66_000))];
    const answer = { kind: "palettes", names: [], diverging: [] } as const;
    model.say(
      {
        type: "reply",
        id: model.last("palettes").id,
        seconds: 0,
        of: { kind: "palettes" },
        body: { ...answer, names: [], diverging: [] },
      },
      buffers,
    );
    expect([...(data[0] ?? [])]).toEqual([1, 2, 3]);
    expect(data[0]?.buffer.byteLength).toBe(3);
  });

  it("calls a silent kernel busy, probes it, and takes the late answer when the cell has ended", async () => {
    const a = listener();
    client.ask("frame", body(0), a);
    vi.advanceTimersByTime(SILENCE - 1000);
    expect(client.silent.value).toBe(0);
    vi.advanceTimersByTime(2000);
    expect(client.silent.value).toBeGreaterThanOrEqual(SILENCE);
    const ping = model.last("palettes");
    vi.advanceTimersByTime(60_000);
    expect(model.requests("frame")).toHaveLength(1);
    await model.reply(model.last("frame"));
    expect(a.heard).toEqual([["reply", 0, 16 * 32 * 3]]);
    expect(client.silent.value).toBe(0);
    await model.reply(ping);
    vi.advanceTimersByTime(60_000);
    expect(model.requests("frame")).toHaveLength(1);
  });

  it("asks again when the kernel lives but the answer was lost, and believes either copy", async () => {
    const a = listener();
    client.ask("frame", body(0), a);
    const first = model.last("frame");
    vi.advanceTimersByTime(SILENCE + 1000);
    await model.reply(model.last("palettes"));
    vi.advanceTimersByTime(SILENCE + 1000);
    expect(model.requests("frame").map((r) => r.body)).toEqual([body(0), body(0)]);
    expect(model.last("frame").id).not.toBe(first.id);
    model.say({ type: "cancelled", id: first.id });
    await model.reply(model.last("frame"));
    expect(a.heard).toEqual([["reply", 0, 16 * 32 * 3]]);
  });

  it("does not ask again while progress comes in", () => {
    client.ask("frame", body(0), listener());
    for (let i = 0; i < 12; i++) {
      vi.advanceTimersByTime(10_000);
      model.say({ type: "progress", id: model.last("frame").id, done: i, total: 12 });
    }
    expect(model.requests("frame")).toHaveLength(1);
    expect(client.silent.value).toBe(0);
  });

  it("says that the kernel is gone when nothing can be sent", () => {
    const a = listener();
    vi.spyOn(model, "send").mockImplementation(() => {
      throw new Error("Kernel is dead");
    });
    client.ask("frame", body(0), a);
    expect(client.gone.value).toBe(true);
    expect(a.heard).toEqual([["failed", "The kernel is gone: run the cell again"]]);
    client.ask("frame", body(1), a);
    expect(a.heard).toHaveLength(2);
    expect(client.activity.value).toEqual([]);
  });

  it("gives two clients different ids", () => {
    const other = new RequestClient(model);
    client.ask("frame", body(0), listener());
    other.ask("frame", body(0), listener());
    const [a, b] = model.requests("frame");
    expect(a?.id).not.toBe(b?.id);
    other.dispose();
  });
});
