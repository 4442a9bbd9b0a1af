// Which tab of the panel beside the frame is chosen: the pixel's neurons, the region's, or the spectrum.
import { computed, type ReadonlySignal, signal, untracked } from "@preact/signals-core";
import { savedOf } from "../state/saved";
import { same } from "../transport/same";
import { attribute, write } from "../ui/dom";
import type { Panel } from "../ui/panel";
import { createTabs } from "../ui/tabs";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";

type Tab = "pixel" | "region" | "spectrum";
const TABS = [
  { value: "pixel", text: "pixel", title: "The neurons of the pinned pixel" },
  { value: "region", text: "region", title: "The neurons of the region, of all layers" },
  {
    value: "spectrum",
    text: "spectrum",
    title: "Power over frequency, of the frame and of the selection's map",
  },
] as const;
const TITLES: Record<Tab, string> = { pixel: "Pixel", region: "Region", spectrum: "Spectrum" };

/** Of pixel and region the one that was chosen last, or the region where it was drawn after the pixel was pinned. */
export function followTab(view: View, panel: Panel): ReadonlySignal<Tab> {
  const { store } = view.session;
  const isSaid = untracked(() => store.pixel.value === null || store.sort.value === "region");
  const chosen = signal<"pixel" | "region">(isSaid ? "region" : "pixel");
  const tabs = createTabs<Tab>("Beside the frame", TABS, panel.body, (tab) => {
    if (tab !== "spectrum") chosen.value = tab;
    store.set({ panel: tab === "spectrum" ? "spectrum" : "pixel" });
  });
  panel.tools.append(tabs.element);
  // A saved page keeps the neurons of pixels alone.
  const isSaved = computed(() => savedOf(store._canvas.value) !== null);
  const hasRegion = computed(() => store.region.value !== null && !isSaved.value);
  const tab = computed<Tab>(() => {
    if (store.panel.value === "spectrum" && !isSaved.value) return "spectrum";
    return hasRegion.value && chosen.value === "region" ? "region" : "pixel";
  });
  let before = { region: untracked(() => store.region.value), pixel: untracked(() => store.pixel.value) };
  view.effect(() => {
    const now = { region: store.region.value, pixel: store.pixel.value };
    if (now.region && !same(now.region, before.region)) chosen.value = "region";
    else if (now.pixel && !same(now.pixel, before.pixel)) chosen.value = "pixel";
    before = now;
  });
  view.effect(() => {
    tabs.element.hidden = isSaved.value;
    tabs.select(tab.value, (one) => one !== "region" || hasRegion.value);
    attribute(panel.body, "role", isSaved.value ? null : "tabpanel");
    if (isSaved.value) attribute(panel.body, "aria-labelledby", null);
    write(panel.title, TITLES[tab.value]);
    explain(panel.title, tab.value === "spectrum" ? "spectrum" : "contribution");
  });
  return tab;
}
