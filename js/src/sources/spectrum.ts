// The power spectra of the frame and of the selection's map; asked for only while a view shows them.
import { type ReadonlySignal, signal } from "@preact/signals-core";
import { savedOf } from "../state/saved";
import { currentSelection, isWholeLayer, selectionBytes, selectionKey } from "../state/selection";
import { canvasOf, isSwitching, ready, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import type { PictureSpectraReply, RunKey, SelectionSpectrumReply } from "../transport/messages";
import { ByteCache } from "./cache";
import { Source } from "./source";

const BYTES = 4e6;
/** In ms: the selection's map goes first. */
const AFTER_MAP = 120;

export type PictureSpectra = PictureSpectraReply & { run: RunKey };
/** `key` says of which selection. */
export type SelectionSpectrum = SelectionSpectrumReply & { run: RunKey; rule: string; key: string };

export function createSpectra(
  store: Store,
  client: RequestClient,
  watched: ReadonlySignal<boolean>,
  settled: ReadonlySignal<number>,
) {
  /** How many views show them. */
  const seen = signal(0);
  const pictures = new Source<"picture_spectra", PictureSpectra>({
    client,
    view: "spectra",
    watched,
    wanted: () => {
      const info = store._canvas.value;
      if (seen.value === 0 || !ready(info) || savedOf(info)) return null;
      return { kind: "picture_spectra", run: store.run.value, time: settled.value };
    },
    key: ({ time }) => String(time),
    decode: (answer, _data, { run }) => ({ ...answer, run }),
    cache: new ByteCache(BYTES),
    bytes: ({ limits }) => 200 + 40 * limits.length,
    patience: 250,
  });
  const selection = new Source<"selection_spectrum", SelectionSpectrum>({
    client,
    view: "selection spectrum",
    watched,
    wanted: () => {
      const chosen = seen.value > 0 && canvasOf(store) ? currentSelection(store) : null;
      if (!chosen || isWholeLayer(chosen) || savedOf(store._canvas.value)) return null;
      return {
        kind: "selection_spectrum",
        run: store.run.value,
        rule: store.rule.value,
        time: settled.value,
        selection: chosen,
      };
    },
    preparing: () => seen.value > 0 && isSwitching(store),
    key: ({ rule, time, selection: chosen }) => `${rule}/${selectionKey(chosen)}@${time}`,
    decode: (answer, _data, { run, rule, selection: chosen }) => ({
      ...answer,
      run,
      rule,
      key: selectionKey(chosen),
    }),
    cache: new ByteCache(BYTES),
    bytes: ({ selection: chosen, spectrum }) => selectionBytes(chosen) + 10 * spectrum.power.length,
    patience: 250,
    delay: () => AFTER_MAP,
  });
  return { seen, pictures, selection };
}

/** The spectrum of what is selected now, on the frame that the pictures are of; else null. Read inside an effect. */
export function currentSpectrum(
  shown: SelectionSpectrum | null,
  pictures: PictureSpectra | null,
  store: Store,
): SelectionSpectrum | null {
  const chosen = currentSelection(store);
  const isOfIt =
    shown !== null &&
    pictures !== null &&
    chosen !== null &&
    shown.key === selectionKey(chosen) &&
    shown.run === store.run.value &&
    shown.rule === store.rule.value &&
    shown.run === pictures.run &&
    shown.time === pictures.time;
  return isOfIt ? shown : null;
}
