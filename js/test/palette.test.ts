import { describe, expect, it } from "vitest";
import { type Palettes, readPalettes } from "../src/sources/palettes";
import type { ContributionMap, Frame } from "../src/sources/pictures";
import { CLUSTER_COLOURS } from "../src/transport/constants";
import { composeBar, composePicture, composeThumbnail, groundOf } from "../src/ui/painting";
import { levelTable, levelValue, placeOf, type Style } from "../src/ui/palette";

// "ramp" maps place p to (p, 0, 255 - p); "around" to (p, p, p).
const ramp = Uint8Array.from(
  { length: 768 },
  (_, i) => [Math.floor(i / 3), 0, 255 - Math.floor(i / 3)][i % 3] ?? 0,
);
const around = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
const PALETTES: Palettes = readPalettes(
  ["ramp", "around"],
  ["around"],
  Uint8Array.from([...ramp, ...around]),
);
const STYLE: Style = { maps: "magnitude", palette: "ramp", opacity: 1, contrast: 1 };

function frame(data: number[], channels = 3): Frame {
  return {
    kind: "frame",
    run: null,
    time: 0,
    source: "truth",
    height: 1,
    width: data.length / channels,
    channels,
    low: 0,
    high: 1,
    psnr: null,
    psnr_before: null,
    out: 0,
    scaled: 0,
    set: "",
    quantised: null,
    data: Uint8Array.from(data),
  };
}

function map(levels: number[], low: number, high: number): ContributionMap {
  return {
    kind: "map",
    run: null,
    rule: "xinc",
    time: 0,
    selection: { layer: "a", neuron: [0], neurons: [], cluster: -1, n_clusters: 6 },
    height: 1,
    width: levels.length,
    low,
    high,
    total: 1,
    signed_range: [],
    by: "",
    signed: null,
    sampled: null,
    look: 0,
    data: Uint8Array.from(levels),
  };
}

describe("palettes", () => {
  it("are read in the order of their names, the diverging ones apart", () => {
    expect(PALETTES.sequential).toEqual(["ramp"]);
    expect(PALETTES.tables.get("around")?.subarray(30, 33)).toEqual(Uint8Array.from([10, 10, 10]));
    expect(() => readPalettes(["one", "two"], [], ramp)).toThrow("768 bytes");
  });

  it("have twelve different cluster colours", () => {
    expect(new Set(CLUSTER_COLOURS).size).toBe(12);
  });
});

describe("levels", () => {
  it("are values between low and high", () => {
    expect(levelValue(0, { low: -0.2, high: 0.6 })).toBeCloseTo(-0.2);
    expect(levelValue(255, { low: -0.2, high: 0.6 })).toBeCloseTo(0.6);
    expect(levelValue(51, { low: -0.2, high: 0.6 })).toBeCloseTo(-0.04);
  });

  it("lie symmetrically around the middle of a diverging table, whatever the range", () => {
    const signed = { maps: "signed", contrast: 1 } as const;
    expect(placeOf(0, 0.5, signed)).toBe(127.5);
    expect(placeOf(0.5, 0.5, signed)).toBe(255);
    expect(placeOf(-0.5, 0.5, signed)).toBe(0);
    expect(placeOf(0.1, 0.5, signed) - 127.5).toBeCloseTo(127.5 - placeOf(-0.1, 0.5, signed));
  });

  it("exhaust the table sooner with contrast, and no further", () => {
    const gain = { maps: "magnitude", contrast: 4 } as const;
    expect(placeOf(0.1, 0.8, gain)).toBeCloseTo(127.5);
    expect(placeOf(0.7, 0.8, gain)).toBe(255);
    expect(placeOf(-0.7, 0.8, gain)).toBe(255);
  });

  it("take colour from the magnitude and are transparent at zero", () => {
    // Levels of -1 .. 1: 0 is -1, 255 is 1, and 127 and 128 may be nothing.
    const table = levelTable({ low: -1, high: 1 }, STYLE, ramp);
    expect([...table.subarray(0, 4)]).toEqual([255, 0, 0, 255]);
    expect([...table.subarray(1020, 1024)]).toEqual([255, 0, 0, 255]);
    expect(table[126 * 4]).toBe(3);
    const zero = levelTable({ low: 0, high: 1 }, STYLE, ramp);
    expect([...zero.subarray(0, 4)]).toEqual([0, 0, 255, 0]);
    for (let level = 1; level < 256; level++)
      expect(zero[level * 4 + 3]).toBeGreaterThanOrEqual(zero[level * 4 - 1] ?? 256);
    expect(zero[64 * 4 + 3]).toBe(Math.round(255 * (64 / 255) * (2 - 64 / 255)));
  });

  it("draw nothing at the level that zero has, though zero is between two levels", () => {
    const range = { low: -0.3, high: 0.5 };
    const zero = Math.round((0.3 / 0.8) * 255);
    for (const maps of ["magnitude", "signed"] as const) {
      const table = levelTable(range, { ...STYLE, maps }, ramp);
      expect(table[zero * 4 + 3]).toBe(0);
      expect(table[(zero + 1) * 4 + 3]).toBeGreaterThan(0);
      expect(table[(zero - 1) * 4 + 3]).toBeGreaterThan(0);
    }
  });

  it("are all transparent in a map of nothing", () => {
    const table = levelTable({ low: 0, high: 0 }, STYLE, ramp);
    expect(table.filter((_, i) => i % 4 === 3).every((alpha) => alpha === 0)).toBe(true);
  });
});

describe("composePicture", () => {
  it("blends the map over the frame by its alpha", () => {
    const half = { ...STYLE, opacity: 0.5 };
    const { rgba, width, height } = composePicture(
      { frame: frame([10, 20, 30, 100, 100, 100]), map: map([0, 255], 0, 2) },
      half,
      PALETTES,
    );
    expect([width, height]).toEqual([2, 1]);
    // No contribution: the frame, which loses 0.75 * 0.5 of its colour (its grey is 18.596). The strongest: half of
    // (255, 0, 0) and half of the frame (alpha is 128 of 255).
    expect([...rgba.subarray(0, 4)]).toEqual([13, 19, 26, 255]);
    expect([...rgba.subarray(4)]).toEqual([178, 50, 50, 255]);
  });

  it("keeps the colours of the frame under a map that is not seen, and without one", () => {
    const clear = { ...STYLE, opacity: 0 };
    const picture = { frame: frame([10, 20, 30, 200, 100, 100]), map: map([0, 255], 0, 2) };
    const colours = [10, 20, 30, 255, 200, 100, 100, 255];
    expect([...composePicture(picture, clear, PALETTES).rgba]).toEqual(colours);
    expect([...composePicture({ ...picture, map: null }, STYLE, PALETTES).rgba]).toEqual(colours);
  });

  it("centres signed maps on zero", () => {
    const signed = { ...STYLE, maps: "signed" as const };
    const picture = { frame: frame([9, 9, 9, 9, 9, 9]), map: map([0, 255], -0.25, 1) };
    const { rgba } = composePicture(picture, signed, PALETTES);
    const alpha = Math.round(255 * 0.25 * 1.75) / 255;
    const place = Math.round(127.5 - 127.5 * 0.25);
    expect(rgba[0]).toBe(Math.round(9 + alpha * (place - 9)));
    expect([...rgba.subarray(4)]).toEqual([255, 255, 255, 255]);
  });

  it("shows the map alone, opaque, where there is no frame", () => {
    const { rgba } = composePicture(
      { frame: null, map: map([0, 255], 0, 1) },
      { ...STYLE, opacity: 0.1 },
      PALETTES,
    );
    expect([...rgba]).toEqual([0, 0, 255, 255, 255, 0, 0, 255]);
  });

  it("shows one channel as grey", () => {
    const { rgba } = composePicture({ frame: frame([0, 77], 1), map: null }, STYLE, PALETTES);
    expect([...rgba]).toEqual([0, 0, 0, 255, 77, 77, 77, 255]);
  });

  it("reads a map of another size at the nearest pixel", () => {
    const picture = { frame: frame(Array(12).fill(0)), map: map([0, 255], 0, 1) };
    const { rgba } = composePicture(picture, STYLE, PALETTES);
    expect([rgba[0], rgba[4], rgba[8], rgba[12]]).toEqual([0, 0, 255, 255]);
  });
});

it("thumbnails are opaque", () => {
  const rgba = composeThumbnail(
    Uint8Array.from([0, 255]),
    { low: 0, high: 3 },
    { ...STYLE, opacity: 0 },
    PALETTES,
  );
  expect([...rgba]).toEqual([0, 0, 255, 255, 255, 0, 0, 255]);
});

describe("a finding over the frame", () => {
  const overlaid = (overlay: "intensity" | "neurons" | "laplacian") => {
    const found = map([0, 127, 255], -2, 1);
    return { ...found, selection: { ...found.selection, neuron: null, overlay } };
  };
  const colours = (overlay: "intensity" | "neurons" | "laplacian", maps: Style["maps"]) => {
    const { rgba } = composePicture({ frame: null, map: overlaid(overlay) }, { ...STYLE, maps }, PALETTES);
    return [0, 4, 8].map((at) => [...rgba.subarray(at, at + 3)]);
  };

  it("that is a difference is drawn around zero, whatever maps of neurons are", () => {
    expect(colours("intensity", "magnitude")).toEqual(colours("intensity", "signed"));
    expect(colours("laplacian", "magnitude")).toEqual(colours("intensity", "signed"));
    expect(colours("intensity", "magnitude")).toEqual([
      [0, 0, 0],
      [95, 95, 95],
      [191, 191, 191],
    ]);
  });

  it("that is an amount is drawn from zero on", () => {
    expect(colours("neurons", "signed")).toEqual(colours("neurons", "magnitude"));
  });
});

describe("the colour bar", () => {
  it("is as transparent as the map, over the same ground", () => {
    const under = frame([200, 100, 50, 200, 100, 50, 200, 100, 50]);
    for (const maps of ["magnitude", "signed"] as const) {
      const style = { ...STYLE, maps, opacity: 0.6 };
      const ground = groundOf(under, style, PALETTES);
      // The grey of the frame is 117.65: 0.75 * 0.6 of the way to it.
      expect(ground).toEqual([163, 108, 80]);
      const bar = composeBar(style, PALETTES, ground);
      const over = map([0, 128, 255], maps === "signed" ? -3 : 0, 3);
      const { rgba } = composePicture({ frame: under, map: over }, style, PALETTES);
      [0, 128, 255].forEach((at, i) => {
        const [shown, told] = [rgba.subarray(i * 4, i * 4 + 4), bar.subarray(at * 4, at * 4 + 4)];
        for (let c = 0; c < 4; c++) expect(Math.abs((shown[c] ?? 0) - (told[c] ?? 0))).toBeLessThanOrEqual(1);
      });
    }
  });

  it("is opaque where the map is: with nothing under it", () => {
    const bar = composeBar({ ...STYLE, opacity: 0.5 }, PALETTES, null);
    expect([...bar.subarray(0, 4), ...bar.subarray(1020)]).toEqual([0, 0, 255, 255, 255, 0, 0, 255]);
  });
});
