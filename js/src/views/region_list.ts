// The regions with names and the one that is drawn, below the frame: a bar each for the part of the selection's contribution that it has.
import { signal } from "@preact/signals-core";
import { type Part, partOf } from "../sources/region_shares";
import { chooseRegion } from "../state/actions";
import { count, percent } from "../state/format";
import { dropRegion, listedRegions, regionAt } from "../state/regions";
import { currentSelection, selectionKey, selectionLabel } from "../state/selection";
import { ready } from "../state/store";
import { same } from "../transport/same";
import { attribute, h, write } from "../ui/dom";
import { rove } from "../ui/roving";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";

interface Row {
  button: HTMLButtonElement;
  name: HTMLElement;
  share: HTMLElement;
  times: HTMLElement;
  bar: HTMLElement;
  mark: HTMLElement;
}

/** A region's share of the contribution divided by its share of the area. */
export function timesFair({ delta }: Part): string {
  const times = delta + 1;
  return `${times >= 9.95 ? times.toFixed(0) : times.toFixed(1)}×`;
}

export function createRegionList(view: View): HTMLElement {
  const { store, regions, settled } = view.session;
  const element = h("div", {
    class: "cw-regions",
    role: "group",
    "aria-label": "Regions",
    "data-testid": "regions",
    hidden: true,
  });
  const note = h("p", { class: "cw-muted cw-region-note", "data-testid": "regions-estimated", hidden: true });
  element.append(note);
  const rows: Row[] = [];
  const active = signal(0);

  const makeRow = (): Row => {
    const [name, share, times] = ["name", "share", "times"].map((part) =>
      h("span", { class: `cw-region-${part}` }),
    ) as [HTMLElement, HTMLElement, HTMLElement];
    explain(times, "region");
    const bar = h("i", { class: "cw-region-fill" });
    const mark = h("i", { class: "cw-region-area" });
    const track = h("span", { class: "cw-region-track", "aria-hidden": "true" }, bar, mark);
    const button = h("button", { class: "cw-region-row", type: "button" }, name, share, times, track);
    button.addEventListener("click", () => choose(rows.findIndex((row) => row.button === button)));
    return { button, name, share, times, bar, mark };
  };
  const choose = (index: number) => {
    const named = listedRegions(store, store.time.peek())[index];
    const region = named && regionAt(named, store.time.peek());
    if (!named) return;
    active.value = index;
    if (!region) return view.say(`${named.name} is not in frame ${store.time.peek()}`);
    chooseRegion(store, same(region, store.region.peek()) ? null : region);
  };
  rove(element, () => rows.filter(({ button }) => !button.hidden).map(({ button }) => button), active);
  element.addEventListener("keydown", (event) => {
    const named = listedRegions(store, store.time.peek())[active.peek()];
    if (event.key !== "Delete" || !named) return;
    event.preventDefault();
    event.stopPropagation();
    if (store.regions.peek().includes(named)) dropRegion(store, named.name);
    else chooseRegion(store, null);
    view.say(`${named.name} is off the list`);
    rows[Math.max(0, active.peek() - 1)]?.button.focus();
  });

  const fill = (
    { button, name, share, times, bar, mark }: Row,
    called: string,
    part: Part | undefined,
    there: boolean,
  ) => {
    write(name, called);
    write(share, part ? percent(part.share) : there ? "…" : "not here");
    write(times, part ? timesFair(part) : "");
    const across = part ? Math.min(1, part.share) * 100 : 0;
    bar.style.width = `${across}%`;
    mark.style.left = `${part ? part.area * 100 : 0}%`;
    mark.hidden = !part;
    const told = part
      ? `${percent(part.share)} of the contribution on ${percent(part.area)} of the frame, ${timesFair(part)} its fair share`
      : there
        ? "not known yet"
        : "not in this frame";
    attribute(button, "aria-label", `${called}: ${told}`);
    attribute(button, "title", `${called}: ${told}`);
    attribute(button, "data-share", part?.share);
  };
  view.effect(() => {
    const time = store.time.value;
    const named = listedRegions(store, time);
    const shown = regions.shown.value;
    const selection = currentSelection(store);
    const info = store._canvas.value;
    element.hidden = named.length === 0 || !ready(info);
    // Until the answer comes, the shares are of another frame or selection: dim them and say so.
    const fits =
      shown !== null &&
      selection !== null &&
      shown.run === store.run.value &&
      shown.rule === store.rule.value &&
      selectionKey(shown.selection) === selectionKey(selection) &&
      shown.time === time;
    attribute(element, "data-stale", shown !== null && !fits);
    attribute(element, "data-time", shown?.time);
    attribute(
      element,
      "aria-busy",
      regions.state.value === "loading" || settled.value !== time ? "true" : null,
    );
    element.title =
      shown && !fits
        ? `Still of ${selectionLabel(shown.selection, store.cluster_names.value)}, frame ${shown.time}`
        : "";
    const { sampled } = shown ?? {};
    note.hidden = !sampled;
    write(note, sampled ? `shares estimated at ${count(sampled.pixels)} pixels` : "");
    while (rows.length < named.length) {
      const row = makeRow();
      rows.push(row);
      element.append(row.button);
    }
    rows.forEach((row, i) => {
      const one = named[i];
      row.button.hidden = !one;
      if (!one) return;
      const region = regionAt(one, time);
      attribute(row.button, "aria-pressed", String(region !== null && same(region, store.region.value)));
      attribute(row.button, "tabindex", i === Math.min(active.value, named.length - 1) ? 0 : -1);
      attribute(row.button, "data-region", one.name);
      fill(row, one.name, shown && region ? partOf(shown, region) : undefined, region !== null);
    });
  });
  return element;
}
