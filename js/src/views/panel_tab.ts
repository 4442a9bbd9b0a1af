// Which tab of the panel beside the frame is chosen: the pixel's neurons, the region's, or the spectrum.
import { computed, type ReadonlySignal } from "@preact/signals-core";
import { savedOf } from "../state/saved";
import type { PanelTab } from "../transport/messages";
import { attribute, write } from "../ui/dom";
import type { Panel } from "../ui/panel";
import { createTabs } from "../ui/tabs";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";

const TABS = [
  { value: "pixel", text: "pixel", title: "The neurons of the pinned pixel" },
  { value: "region", text: "region", title: "The neurons of the region, of all layers" },
  {
    value: "spectrum",
    text: "spectrum",
    title: "Power over frequency, of the frame and of the selection's map",
  },
] as const;
const TITLES: Record<PanelTab, string> = { pixel: "Pixel", region: "Region", spectrum: "Spectrum" };

export function followTab(view: View, panel: Panel): ReadonlySignal<PanelTab> {
  const { store } = view.session;
  const tabs = createTabs<PanelTab>("Beside the frame", TABS, panel.body, (tab) => store.set({ panel: tab }));
  panel.tools.append(tabs.element);
  // A saved page keeps the neurons of pixels alone.
  const isSaved = computed(() => savedOf(store._canvas.value) !== null);
  const hasRegion = computed(() => store.region.value !== null && !isSaved.value);
  const tab = computed<PanelTab>(() => {
    if (isSaved.value || (store.panel.value === "region" && !hasRegion.value)) return "pixel";
    return store.panel.value;
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
