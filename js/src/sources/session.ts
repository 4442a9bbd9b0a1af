// Everything the views of one model share: its traits, its requests and what has been answered so far.
import { computed, effect, type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import { createHistory } from "../state/history";
import { createStore, ready, runOf, type Store } from "../state/store";
import type { Traits } from "../state/traits";
import { RequestClient } from "../transport/client";
import type { RunInfo } from "../transport/messages";
import type { Model } from "../transport/model";
import { createAblation } from "./ablation";
import { ClusterSource } from "./clusters";
import { createComparison } from "./comparison";
import { CurveSource } from "./curve";
import { AgreementSource, FaithfulnessSource } from "./faithfulness";
import { FrequencySource } from "./frequencies";
import { GridSource } from "./grid";
import { watchLatency } from "./latency";
import { paletteSource } from "./palettes";
import { frameSource, joinPictures, mapSource } from "./pictures";
import { PixelSources } from "./pixels";
import { settledTime, startPlayer, startPrefetch } from "./player";
import { RegionNeuronsSource } from "./region_neurons";
import { RegionSource } from "./region_shares";
import { RulesSource } from "./rules";
import { RunCurveSource } from "./run_curve";
import { createRunPlayer } from "./run_player";
import { pointedSource, ScatterSource } from "./scatter";
import { createSpectra } from "./spectrum";
import { StripSource } from "./strip";
import { ValueSource } from "./values";

/** A view may be taken away and put back (redisplay, a moved cell): what is shared outlives it a little. */
export type Session = ReturnType<typeof createSession>;

/** What frames depend on: another rule describes other layers of the same signal, and runs have answers of their own. */
function signalOf(canvas: Traits["_canvas"], runs: RunInfo[]): string {
  if (!ready(canvas)) return "";
  const own =
    canvas.run === null ? [canvas.title, canvas.has_truth] : runs.map(({ key, version }) => [key, version]);
  return JSON.stringify([own, canvas.height, canvas.width, canvas.n_frames]);
}

/** What is on screen is wrong under another rule, and for a run with other layers. */
function viewOf(store: Store): string {
  const group = runOf(store, store.run.value)?.group ?? null;
  return JSON.stringify([store.rule.value, group ?? store.run.value]);
}

export function createSession(model: Model) {
  const store = createStore(model);
  const history = createHistory(store);
  const client = new RequestClient(model);
  const views: Signal<number> = signal(0);
  const watched = computed(() => views.value > 0);
  const { settled, dispose: stopSettling } = settledTime(store);
  const palettes = paletteSource(client);
  const frames = frameSource(store, client, watched);
  const maps = mapSource(store, client, watched);
  const { picture, dispose: stopJoining } = joinPictures(store, frames, maps);
  const grid = new GridSource(store, client, settled);
  const pixels = new PixelSources(store, client, watched, settled);
  const curve = new CurveSource(store, client, watched);
  const clusters = new ClusterSource(store, client, watched);
  const ablation = createAblation(store, clusters);
  const regions = new RegionSource(store, client, watched, settled);
  const regionNeurons = new RegionNeuronsSource(store, client, watched, settled);
  const scatter = new ScatterSource(store, client, watched, settled);
  const pointed = pointedSource(store, client, scatter, settled);
  const values = new ValueSource(store, client, scatter.watched, settled);
  const strip = new StripSource(store, client, watched);
  const rules = new RulesSource(store, client, watched);
  const faithfulness = new FaithfulnessSource(store, client, watched);
  const agreement = new AgreementSource(store, client, watched);
  const frequencies = new FrequencySource(store, client, watched, settled);
  const spectra = createSpectra(store, client, watched, settled);
  const runCurve = new RunCurveSource(store, client, watched, settled, faithfulness.shown);
  const comparison = createComparison(store, client, watched, settled, { pixels, clusters, scatter });
  const stopLatency = watchLatency(model, { store, comparison, picture, maps, pixels, views });
  const playing = { store, client, frames, maps, views };
  const stopPlaying = startPlayer(playing);
  const stopPrefetching = startPrefetch(playing);
  const runPlayer = createRunPlayer(store, picture, views);
  palettes.ask();

  // Another rule makes everything on screen wrong; another model makes every cached answer wrong, too.
  const ruled = [
    maps,
    grid,
    pixels,
    regions,
    clusters,
    scatter,
    pointed,
    values,
    rules,
    faithfulness,
    agreement,
    spectra.selection,
    frequencies,
  ];
  const look = () => ({ model: signalOf(store._canvas.value, store._runs.value), view: viewOf(store) });
  let known = untracked(look);
  const stopWatching = effect(() => {
    const now = look();
    untracked(() => {
      if (now.model !== known.model)
        for (const source of [frames, strip, curve, runCurve, comparison, spectra.pictures, ...ruled])
          source.reset();
      else if (now.view !== known.view) for (const source of [comparison, ...ruled]) source.blank();
      known = now;
    });
  });
  // Without a kernel no new selection could be shown, so the state is frozen and the screen stays as it is.
  const stopWatchingKernel = effect(() => {
    if (client.gone.value) untracked(store.lose);
  });

  const sources = {
    frames,
    maps,
    grid,
    pixels,
    regions,
    regionNeurons,
    curve,
    runCurve,
    clusters,
    scatter,
    pointed,
    values,
    strip,
    rules,
    faithfulness,
    agreement,
    frequencies,
  };
  return {
    store,
    history,
    client,
    settled,
    palettes: palettes.palettes as ReadonlySignal<typeof palettes.palettes.value>,
    picture,
    ablation,
    runPlayer,
    comparison,
    views,
    spectra,
    ...sources,
    dispose() {
      history.dispose();
      stopLatency();
      stopWatching();
      stopWatchingKernel();
      stopPlaying();
      runPlayer.dispose();
      stopPrefetching();
      stopJoining();
      stopSettling();
      for (const source of [
        comparison,
        ...Object.values(sources),
        spectra.pictures,
        spectra.selection,
        client,
        store,
      ])
        source.dispose();
    },
  };
}
