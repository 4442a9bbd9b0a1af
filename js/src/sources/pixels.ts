// The neurons of one pixel: of the pinned one, and of the one under the pointer while it rests there.
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import { currentSelection, selectionBytes, selectionKey } from "../state/selection";
import { isSwitching, type Store } from "../state/store";
import type { RequestClient, View } from "../transport/client";
import type { PixelReply, RunKey, Selection } from "../transport/messages";
import { same } from "../transport/same";
import { ByteCache } from "./cache";
import { Source } from "./source";

export const RANKED = 24;
const PIXEL_BYTES = 4e6;
const HOVER_REST = 40;
/** Of another selection the bars are the same, and only the read-out waits: its map goes first. */
const AFTER_MAP = 120;

/** A pixel's neurons and the selection whose exact contribution the answer holds. */
export type PixelNeurons = PixelReply & { run: RunKey; rule: string; selection: Selection };

function pixelSource(
  store: Store,
  client: RequestClient,
  view: View,
  watched: ReadonlySignal<boolean>,
  pixel: ReadonlySignal<number[] | null>,
  time: ReadonlySignal<number>,
  rest: number,
) {
  const source: Source<"pixel", PixelNeurons> = new Source<"pixel", PixelNeurons>({
    client,
    view,
    watched,
    wanted: () => {
      const selection = currentSelection(store);
      const at = pixel.value;
      return (
        selection &&
        at && {
          kind: "pixel",
          run: store.run.value,
          rule: store.rule.value,
          time: time.value,
          pixel: at,
          k: RANKED,
          selection,
        }
      );
    },
    preparing: () => pixel.value !== null && isSwitching(store),
    key: ({ rule, time: frame, pixel: at, k, selection }) =>
      `${rule}/${selectionKey(selection)}@${frame}:${at.join(",")}/${k}`,
    decode: (answer, _data, { run, rule, selection }) => ({ ...answer, run, rule, selection }),
    cache: new ByteCache(PIXEL_BYTES),
    bytes: ({ selection, neurons, layers }) =>
      selectionBytes(selection) +
      120 * neurons.length +
      layers.reduce((sum, { counts, shares }) => sum + 200 + 8 * (counts.length + shares.length), 0),
    patience: 100,
    delay: (body) => {
      const shown = source.shown.peek();
      const same =
        shown?.run === body.run && shown.time === body.time && String(shown.pixel) === String(body.pixel);
      return same ? Math.max(rest, AFTER_MAP) : rest;
    },
  });
  return source;
}

export class PixelSources {
  readonly pinned: Source<"pixel", PixelNeurons>;
  readonly hovered: Source<"pixel", PixelNeurons>;
  /** The pixel under the pointer, in any view of the page. */
  readonly hover: Signal<number[] | null> = signal(null);
  /** The exact contribution of the selected neuron at a pixel; null while no answer contains it. */
  readonly preview: ReadonlySignal<PixelNeurons | null>;

  constructor(
    store: Store,
    client: RequestClient,
    watched: ReadonlySignal<boolean>,
    settled: ReadonlySignal<number>,
  ) {
    this.pinned = pixelSource(store, client, "pixel", watched, store.pixel, settled, 0);
    // The pinned pixel needs no preview.
    const resting = computed(() => {
      const at = this.hover.value;
      return store.playing.value || same(at, store.pixel.value) ? null : at;
    });
    this.hovered = pixelSource(store, client, "hover", watched, resting, store.time, HOVER_REST);
    this.preview = computed(() => {
      const shown = this.hovered.shown.value;
      const at = this.hover.value;
      const current = shown && shown.run === store.run.value && shown.time === store.time.value;
      return current && at && same(shown.pixel, at) ? shown : null;
    });
  }

  blank(): void {
    this.pinned.blank();
    this.hovered.blank();
  }

  reset(): void {
    this.pinned.reset();
    this.hovered.reset();
  }

  dispose(): void {
    this.pinned.dispose();
    this.hovered.dispose();
  }
}
