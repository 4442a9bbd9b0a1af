// Ablates or scales the selected neurons, or puts them back; the source that the frame shows follows.
import { computed } from "@preact/signals-core";
import { type Ablated, combine, isAblated, sizeOf, without } from "../state/ablated";
import { count } from "../state/format";
import { currentSelection, layerOf, neuronAt, selectionLabel } from "../state/selection";
import { ready, type Store } from "../state/store";
import { MAX_NEURONS } from "../transport/constants";
import type { Edit, Source } from "../transport/messages";
import { type ClusterSource, currentClusters } from "./clusters";

/** Some neurons of a layer, and what they are called. */
interface Target {
  layer: string;
  neurons: number[][];
  label: string;
  clustered: boolean;
}

/** The changes to the set of ablated neurons that the user can make in any view. */
export function createAblation(store: Store, clusters: ClusterSource) {
  let before: Source = "reconstruction";
  const isAny = (ablated: Ablated, edits: Edit[]) => sizeOf(ablated) + edits.length > 0;
  const set = (ablated: Ablated, edits: Edit[], held = false) => {
    const source = store.source.peek();
    const begins = !isAny(store.ablated.peek(), store.edits.peek());
    if (begins && !isAblated(source)) before = source;
    const ends = !isAny(ablated, edits);
    store.set(
      {
        ablated,
        edits,
        source: ends ? (isAblated(source) ? before : source) : isAblated(source) ? source : "ablated",
      },
      held,
    );
    if (ends) before = "reconstruction";
  };
  /** The selected neurons; null for a whole layer, and for a cluster that is not known yet. Read inside an effect. */
  const target = (): Target | null => {
    const selection = currentSelection(store);
    const info = store._canvas.value;
    const layer = selection && ready(info) ? layerOf(info, selection.layer) : undefined;
    if (!selection || !layer) return null;
    const named = (neurons: number[][]) => ({
      layer: layer.name,
      neurons,
      label: selectionLabel(selection, store.cluster_names.value),
      clustered: selection.neuron === null && selection.neurons.length === 0,
    });
    if (selection.neuron) return named([selection.neuron]);
    if (selection.neurons.length) return named(selection.neurons);
    const known = currentClusters(clusters.shown.value, store);
    if (selection.cluster < 0 || !known) return null;
    const places = [...known.labels.keys()].filter((at) => known.labels[at] === selection.cluster);
    return places.length ? named(places.map((place) => neuronAt(layer, place))) : null;
  };
  /** Whether all of them are out already. */
  const isOut = ({ layer, neurons }: Target): boolean => {
    const out = new Set((store.ablated.value[layer] ?? []).map(String));
    return neurons.every((one) => out.has(String(one)));
  };
  const named = computed(() => {
    const sets = Object.entries(store.ablated.value).map(
      ([layer, neurons]) => [layer, new Set(neurons.map(String))] as const,
    );
    return new Map(sets);
  });
  return {
    target,
    isOut,
    /** Whether a neuron is out. Read inside an effect. */
    has: (layer: string, neuron: number[]): boolean => named.value.get(layer)?.has(String(neuron)) ?? false,
    /** Takes the selection out, or puts it back where all of it is out; says what it has done, or why nothing. */
    toggle(): { problem: string; done: string } {
      const some = target();
      if (!some) return { problem: "Select a neuron, several or a cluster to ablate", done: "" };
      const out = isOut(some);
      const next = combine(store.ablated.peek(), some.layer, some.neurons, !out);
      if (sizeOf(next) > MAX_NEURONS)
        return { problem: `At most ${count(MAX_NEURONS)} neurons can be ablated`, done: "" };
      set(next, without(store.edits.peek(), some.layer, some.neurons));
      const { length: n } = some.neurons;
      const many = some.clustered ? `, ${count(n)} neuron${n === 1 ? "" : "s"}` : "";
      return {
        problem: "",
        done: `${out ? "put back" : "ablated"} ${some.label}${many} of ${some.layer}`,
      };
    },
    restore(layer: string, neuron: number[]): void {
      const edits = without(store.edits.peek(), layer, [neuron]);
      set(combine(store.ablated.peek(), layer, [neuron], false), edits);
    },
    restoreAll(): void {
      if (isAny(store.ablated.peek(), store.edits.peek())) set({}, []);
    },
    /** What the selection is multiplied with; null where its neurons differ, or nothing is selected. Read inside an effect. */
    factor(): number | null {
      const some = target();
      if (!some) return null;
      const scaled = new Map(
        store.edits.value
          .filter(({ layer }) => layer === some.layer)
          .map(({ neuron, factor }) => [String(neuron), factor]),
      );
      const out = named.value.get(some.layer);
      const factors = some.neurons.map(String).map((one) => (out?.has(one) ? 0 : (scaled.get(one) ?? 1)));
      return factors.every((one) => one === factors[0]) ? (factors[0] ?? null) : null;
    },
    /** Scales the selection: by 0 it is out, by 1 it is as it was. */
    scale(factor: number, held = false): void {
      const some = target();
      if (!some) return;
      const { layer, neurons } = some;
      const ablated = combine(store.ablated.peek(), layer, neurons, factor === 0);
      if (sizeOf(ablated) > MAX_NEURONS) return;
      const others = without(store.edits.peek(), layer, neurons);
      const edits = factor === 0 || factor === 1 ? [] : neurons.map((neuron) => ({ layer, neuron, factor }));
      set(ablated, [...others, ...edits], held);
    },
    isAny: () => isAny(store.ablated.value, store.edits.value),
  };
}

export type Ablation = ReturnType<typeof createAblation>;
