// The saved page's own parts: unpacking, sizes, and a model that answers itself.
import { describe, expect, it, vi } from "vitest";
import { PageModel } from "../src/page/model";
import { enlarge, fitted, quantise, shrink } from "../src/page/resize";
import type { Answered } from "../src/page/saved_page";
import { Arrays, bytesOf, integrate } from "../src/page/unpacking";
import type { FromKernel } from "../src/transport/messages";

async function deflate(bytes: number[]): Promise<string> {
  const stream = new Blob([Uint8Array.from(bytes)]).stream();
  const packed = await new Response(stream.pipeThrough(new CompressionStream("deflate-raw"))).arrayBuffer();
  return btoa(String.fromCharCode(...new Uint8Array(packed)));
}

describe("unpacking", () => {
  it("adds up differences to the left, then to the picture before, modulo 256", () => {
    expect([...integrate(Uint8Array.from([250, 10, 1, 1, 255, 0, 0, 2]), 2, 4)]).toEqual([
      250, 4, 1, 2, 249, 3, 1, 4,
    ]);
  });

  it("gives levels back their range, colours their red and blue, numbers their size", async () => {
    const texts = await Promise.all([
      deflate([0, 63]),
      deflate([10, 20, 30, 40, 1, 1]),
      deflate([0, 0, 128, 63, 0, 0, 0, 192]),
    ]);
    const described = [
      { form: "maps", shape: [1, 1, 2], levels: 64 },
      { form: "colours", shape: [1, 3, 1, 2], levels: 256 },
      { form: "f4", shape: [2], levels: 256 },
    ] as const;
    const arrays = new Arrays(
      described.map((one) => ({ ...one, shape: [...one.shape] })),
      (index) => texts[index] ?? "",
    );
    expect([...(await arrays.bytes(0))]).toEqual([0, 255]);
    expect([...(await arrays.bytes(1))]).toEqual([40, 30, 31, 100, 70, 72]);
    expect([...(await arrays.numbers(2))]).toEqual([1, -2]);
    expect(await arrays.bytes(0)).toBe(await arrays.bytes(0));
    await expect(arrays.bytes(3)).rejects.toThrow("no array 3");
  });

  it("says when the page is damaged", async () => {
    const text = await deflate([1, 2, 3]);
    const arrays = new Arrays([{ form: "u1", shape: [4], levels: 256 }], () => text);
    await expect(arrays.bytes(0)).rejects.toThrow("The page is damaged: 3 bytes of 4");
    expect([...bytesOf("AQID")]).toEqual([1, 2, 3]);
  });
});

describe("sizes", () => {
  it("enlarges between the middles of pixels", () => {
    expect([...enlarge(Uint8Array.from([0, 200]), { height: 1, width: 2 }, { height: 2, width: 4 })]).toEqual(
      [0, 50, 150, 200, 0, 50, 150, 200],
    );
    const one = Uint8Array.from([7]);
    expect([...enlarge(one, { height: 1, width: 1 }, { height: 1, width: 3 })]).toEqual([7, 7, 7]);
    expect(enlarge(one, { height: 1, width: 1 }, { height: 1, width: 1 })).toBe(one);
  });

  it("shrinks to means, of each colour", () => {
    const size = { height: 2, width: 2 };
    expect([...shrink([1, 2, 3, 6], size, { height: 1, width: 1 })]).toEqual([3]);
    const colours = [1, 10, 100, 3, 30, 200, 1, 10, 100, 3, 30, 200];
    expect([...shrink(colours, size, { height: 1, width: 1 }, 3)]).toEqual([2, 20, 150]);
    expect(fitted({ height: 128, width: 256 }, 64)).toEqual({ height: 32, width: 64 });
    expect(fitted({ height: 3, width: 5 }, 64)).toEqual({ height: 3, width: 5 });
  });

  it("quantises as the kernel does", () => {
    expect(quantise(Float32Array.from([-1, 0, 1])).levels).toEqual(Uint8Array.from([0, 128, 255]));
    expect(quantise(Float32Array.from([1, 3]), 0)).toEqual({
      low: 0,
      high: 3,
      levels: Uint8Array.from([85, 255]),
    });
    expect([...quantise(Float32Array.from([5, 5])).levels]).toEqual([0, 0]);
  });
});

describe("the model", () => {
  const told = () => {
    const messages: FromKernel[] = [];
    const answer = async ({ kind }: { kind: string }): Promise<Answered> => {
      if (kind === "scatter") throw new Error("needs the notebook: this page keeps no scatter");
      return { answer: { kind: "strip", frames: [], height: 1, width: 1 }, data: new Uint8Array(0) };
    };
    const model = new PageModel({ time: 1 }, answer);
    model.on("msg:custom", (message) => messages.push(message as FromKernel));
    return { model, messages };
  };

  it("answers each request once, after the call that asked", async () => {
    const { model, messages } = told();
    model.send({ type: "request", id: 7, view: "strip", body: { kind: "strip", frames: [], side: 4 } });
    model.send({ type: "cancel", id: 7 });
    model.send({
      type: "request",
      id: 8,
      view: "scatter",
      body: { kind: "scatter", time: 0, layer: "a", method: "pca" },
    });
    expect(messages).toEqual([]);
    await vi.waitFor(() => expect(messages).toHaveLength(2));
    expect(messages.map(({ type, id }) => [type, id])).toEqual([
      ["reply", 7],
      ["error", 8],
    ]);
    expect(messages[1]).toMatchObject({ message: "needs the notebook: this page keeps no scatter" });
  });

  it("keeps its traits and tells who listens", () => {
    const { model } = told();
    const heard = vi.fn();
    model.on("change:time", heard);
    model.set("time", 1);
    expect(heard).not.toHaveBeenCalled();
    model.set("time", 2);
    expect(heard).toHaveBeenCalledTimes(1);
    model.off("change:time", heard);
    model.set("time", 3);
    expect(heard).toHaveBeenCalledTimes(1);
    expect(model.get("time")).toBe(3);
  });
});
