// The colour tables, asked of the kernel once.
import { signal } from "@preact/signals-core";
import type { RequestClient } from "../transport/client";
import { requireBytes } from "../transport/data";

export interface Palettes {
  sequential: string[];
  diverging: string[];
  tables: Map<string, Uint8Array>;
}

export const NO_PALETTES: Palettes = { sequential: [], diverging: [], tables: new Map() };

export function readPalettes(names: string[], diverging: string[], data: Uint8Array): Palettes {
  requireBytes(data, names.length * 768);
  const tables = new Map(names.map((name, i) => [name, data.subarray(i * 768, (i + 1) * 768)]));
  return { sequential: names.filter((name) => !diverging.includes(name)), diverging, tables };
}

export function paletteSource(client: RequestClient) {
  const palettes = signal(NO_PALETTES);
  const error = signal("");
  const ask = () =>
    client.ask(
      "palettes",
      { kind: "palettes" },
      {
        reply({ names, diverging }, data) {
          try {
            palettes.value = readPalettes(names, diverging, data);
            error.value = "";
          } catch (problem) {
            error.value = String(problem);
          }
        },
        failed: (message) => {
          error.value = message;
        },
      },
    );
  return { palettes, error, ask };
}
