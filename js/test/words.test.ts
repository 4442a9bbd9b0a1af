// Small pure parts: numbers, names, selections, the viewport, the cache.
import { describe, expect, it, vi } from "vitest";
import { ByteCache } from "../src/sources/cache";
import { number, percent, seconds } from "../src/state/format";
import {
  flatIndex,
  isNeuronOf,
  magnitudesOf,
  neuronAt,
  parseNeuron,
  selectionKey,
  selectionLabel,
  shortNames,
  sortedBy,
} from "../src/state/selection";
import { fileName } from "../src/ui/export_png";
import { followTheme, luminance } from "../src/ui/theme";
import { FITTED, pan, pixelAt, place, settled, zoomAt } from "../src/ui/viewport";
import { CANVAS } from "./fixture";
import { layerInfo } from "./layer_info";

const KERNELS = layerInfo("a", [4, 30], [1, 1]);
const UNITS = layerInfo("b", [20], [1, 1]);
const GROUPED = { ...KERNELS, neurons: [6, 3], n_groups: 3 };

describe("numbers", () => {
  it.each([
    [0, "0"],
    [0.04216, "0.0422"],
    [-1.5, "−1.50"],
    [12345.6, "12,346"],
    [1234.5, "1235"],
    [999.96, "1000"],
    [0.0000123, "1.2e−5"],
    [-3e7, "−3.0e7"],
    [Number.NaN, "–"],
  ])("%d reads %s", (value, text) => expect(number(value)).toBe(text));

  it("shares and times", () => {
    expect([percent(0.5), percent(0.0123), percent(1)]).toEqual(["50 %", "1.2 %", "100 %"]);
    expect([seconds(0.0004), seconds(0.25), seconds(3.21), seconds(42)]).toEqual([
      "1 ms",
      "250 ms",
      "3.2 s",
      "42 s",
    ]);
  });
});

describe("selections", () => {
  it("have keys that differ exactly when the maps do", () => {
    const base = { layer: "a", neuron: null, neurons: [], cluster: -1, n_clusters: 6 };
    expect(selectionKey(base)).toBe("a/*");
    expect(selectionKey({ ...base, n_clusters: 9 })).toBe("a/*");
    expect(selectionKey({ ...base, cluster: 2 })).not.toBe(
      selectionKey({ ...base, cluster: 2, n_clusters: 9 }),
    );
    expect(selectionKey({ ...base, neuron: [3, 17], cluster: 2 })).toBe("a/3,17");
    const several = {
      ...base,
      neurons: [
        [3, 17],
        [0, 1],
      ],
    };
    expect([selectionKey(several), selectionLabel(several)]).toEqual(["a/3,17;0,1", "2 neurons"]);
    expect(selectionLabel({ ...base, neuron: [3, 17] })).toBe("neuron in 3 → out 17");
  });

  it("are found by number", () => {
    expect(parseNeuron(" 3, 17 ", KERNELS)).toEqual({ neuron: [3, 17] });
    expect(parseNeuron("17", UNITS)).toEqual({ neuron: [17] });
    expect(parseNeuron("17", KERNELS)).toEqual({
      problem: `A neuron of ${KERNELS.name} is two numbers, like 3,17`,
    });
    expect(parseNeuron("4,0", KERNELS)).toEqual({
      problem: `4,0 is outside 0 to 3,29 of ${KERNELS.name}; of another layer: its name first`,
    });
    expect(parseNeuron("x", UNITS)).toHaveProperty("problem");
    expect(flatIndex(KERNELS, [3, 17])).toBe(107);
  });

  it("have short layer names that stay apart", () => {
    const names = ["stem.0", "decoder.0.conv.upconv.0", "decoder.1.conv.upconv.0", "head"];
    expect([...shortNames(names).values()]).toEqual(["stem", "decoder.0", "decoder.1", "head"]);
    expect(shortNames(["net.1", "net.11"]).get("net.1")).toBe("net.1");
    expect(shortNames(["matmul", "matmul#2"]).get("matmul#2")).toBe("matmul#2");
  });
});

describe("viewport", () => {
  const stage = { width: 400, height: 200 };
  const image = { width: 100, height: 100 };

  it("fits the image in the middle", () => {
    expect(place(FITTED, stage, image)).toEqual({ left: 100, top: 0, width: 200, height: 200 });
  });

  it("zooms around the pointer", () => {
    const at = { x: 150, y: 60 };
    const box = place(zoomAt(FITTED, 3, at, stage, image), stage, image);
    expect(box.width).toBeCloseTo(600);
    expect((at.x - box.left) / box.width).toBeCloseTo(0.25);
    expect((at.y - box.top) / box.height).toBeCloseTo(0.3);
  });

  it("never zooms out of the fit nor shows beyond the image", () => {
    expect(zoomAt(FITTED, 0.1, { x: 0, y: 0 }, stage, image).zoom).toBe(1);
    const far = pan({ zoom: 4, x: 0.5, y: 0.5 }, 9999, 9999, stage, image);
    const box = place(far, stage, image);
    expect([box.left, box.top]).toEqual([0, 0]);
    expect(settled({ zoom: 1, x: 0, y: 0 }, stage, image)).toEqual(FITTED);
  });

  it("knows the pixel under a point", () => {
    const box = { left: 100, top: 0, width: 200, height: 200 };
    expect(pixelAt(100, 0, box, image)).toEqual([0, 0]);
    expect(pixelAt(299.9, 101, box, image)).toEqual([50, 99]);
    expect(pixelAt(99, 50, box, image)).toBeNull();
    expect(pixelAt(300, 50, box, image)).toBeNull();
  });
});

describe("neurons of a grouped convolution", () => {
  it("are the kernels within a group, and no others", () => {
    const every = Array.from({ length: 18 }, (_, place) => neuronAt(GROUPED, place));
    expect([every[0], every[5], every[6], every[17]]).toEqual([
      [0, 0],
      [1, 2],
      [2, 3],
      [5, 8],
    ]);
    expect(every.map((neuron) => flatIndex(GROUPED, neuron))).toEqual([...every.keys()]);
    const pairs = Array.from({ length: 6 * 9 }, (_, at) => [Math.floor(at / 9), at % 9]);
    expect(pairs.filter((pair) => isNeuronOf(GROUPED, pair))).toEqual(every);
  });

  it("are told when another one is typed", () => {
    expect(parseNeuron("2,4", GROUPED)).toEqual({ neuron: [2, 4] });
    expect(parseNeuron("2,0", GROUPED)).toEqual({ problem: "Unit 2 has kernels to outputs 3 to 5 only" });
    expect(parseNeuron("6,0", GROUPED)).toEqual({
      problem: `6,0 is outside 0 to 5,8 of ${GROUPED.name}; of another layer: its name first`,
    });
  });
});

describe("ByteCache", () => {
  it("forgets what was used longest ago when it is full", () => {
    const cache = new ByteCache<string>(100);
    cache.set("a", "A", 40);
    cache.set("b", "B", 40);
    expect(cache.get("a")).toBe("A");
    cache.set("c", "C", 40);
    expect([cache.has("a"), cache.has("b"), cache.has("c"), cache.bytes]).toEqual([true, false, true, 80]);
  });

  it("counts a replaced entry once and keeps one that is too large alone", () => {
    const cache = new ByteCache<number>(100);
    cache.set("a", 1, 60);
    cache.set("a", 2, 70);
    expect([cache.get("a"), cache.bytes]).toEqual([2, 70]);
    cache.set("big", 3, 500);
    expect([cache.has("a"), cache.get("big")]).toEqual([false, 3]);
  });
});

it("reads how light a computed colour is", () => {
  expect(luminance("rgb(255, 255, 255)")).toBeCloseTo(1);
  expect(luminance("rgb(17, 17, 17)")).toBeLessThan(0.1);
  expect(luminance("color(srgb 1 1 1)")).toBeCloseTo(1);
  expect(luminance("rgba(0, 0, 0, 0)")).toBeNull();
});

it("names exported files after what they show", () => {
  expect(fileName({ title: "big buck", caption: "12 · neuron 3→17" })).toBe("big_buck_12_neuron_3-17.png");
});

it("says of what the value is that neurons are sorted by", () => {
  expect(sortedBy("pixel", -0.25, null)).toBe("this pixel: −0.250");
  expect(sortedBy("region", -6, "gated")).toBe("sum over this region by gated: −6.00");
  // The scatter has no signs.
  expect(sortedBy("pixel", 0.25, null, true)).toBe("magnitude, this pixel: 0.250");
  expect(sortedBy("total", 6, "gated", true)).toBe("total: 6.00");
});

describe("which magnitudes a total adds", () => {
  const layers = [KERNELS, { ...UNITS, why_no_colours: "it is not the last layer", each_colour: false }];
  const info = { ...CANVAS, rule: "xinc", layers };
  const grey = { ...info, n_channels: 1 };
  it.each([
    [info, "a", "sum", " (each colour)", /to each colour$/],
    [info, "a", "abs", " (each colour)", /to each colour$/],
    [info, "a", "green", "", /to green$/],
    [info, "b", "sum", " (colours added)", /colours added first: xinc/],
    [grey, "b", "sum", "", /magnitudes of the contributions$/],
  ] as const)("is said in short and in full: %#", (canvas, layer, channel, short, whole) => {
    const found = magnitudesOf(canvas, layer, channel);
    expect(found.short).toBe(short);
    expect(found.whole).toMatch(whole);
  });
});

describe("the theme", () => {
  it("is looked at again when the system's colours change, forced ones too", () => {
    const queries = new Map<string, EventTarget>();
    const spy = vi.spyOn(window, "matchMedia").mockImplementation((query) => {
      const target = queries.get(query) ?? Object.assign(new EventTarget(), { matches: false });
      queries.set(query, target);
      return target as MediaQueryList;
    });
    const [changed, gone] = [vi.fn(), new AbortController()];
    followTheme(document.body.appendChild(document.createElement("div")), gone.signal, changed);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      changed.mockClear();
      queries.get(query)?.dispatchEvent(new Event("change"));
      expect(changed).toHaveBeenCalled();
    }
    gone.abort();
    spy.mockRestore();
  });
});
