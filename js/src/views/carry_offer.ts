// Offers to move the region with the picture, after a step to another frame than the one it was drawn on.
import { computed, signal } from "@preact/signals-core";
import { framesOf, savedOf } from "../state/saved";
import { ready } from "../state/store";
import type { Region } from "../transport/messages";
import { same } from "../transport/same";
import { attribute, h, icon, write } from "../ui/dom";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";

export function createCarryOffer(view: View): HTMLElement {
  const { store, client, history } = view.session;
  /** The frame that each region was drawn on, or carried to. Undo brings the same object back. */
  const drawnOn = new WeakMap<Region, number>();
  const waiting = signal<{ from: number; to: number } | null>(null);
  const words = h("span", {});
  const button = h(
    "button",
    { class: "cw-button cw-carry", type: "button", "data-testid": "carry", hidden: true },
    icon("carry"),
    words,
  );
  explain(button, "carry");

  const offered = computed(() => {
    const [region, to, info] = [store.region.value, store.time.value, store._canvas.value];
    if (!region || !ready(info)) return null;
    if (!drawnOn.has(region)) drawnOn.set(region, to);
    const from = drawnOn.get(region) ?? to;
    const moves = store.regions.value.some(
      ({ frames }) => frames.length > 1 && frames.some((one) => same(one, region)),
    );
    // A saved page has no kernel; an object of the list has a region of its own on each frame.
    const can = savedOf(info) === null && framesOf(info).length > 1 && !moves && !store.playing.value;
    return can && from !== to ? { region, from, to } : null;
  });
  button.addEventListener("click", () => {
    const asked = offered.peek();
    if (!asked || waiting.peek()) return;
    const { region, from, to } = asked;
    waiting.value = { from, to };
    client.ask(
      "carry",
      { kind: "carry", run: store.run.peek(), time: from, to, region },
      {
        reply: ({ region: carried }) => {
          waiting.value = null;
          const now = offered.peek();
          if (now?.region !== region || now.to !== to) return;
          if (!carried) return view.say(`The region has left the picture by frame ${to}`);
          drawnOn.set(carried, to);
          history.split();
          store.set({ region: carried });
          view.root.focus({ preventScroll: true });
        },
        failed: (message) => {
          waiting.value = null;
          view.say(message, "error");
        },
      },
    );
  });
  view.effect(() => {
    const [asked, waits] = [offered.value, waiting.value];
    if (waits && waits.to !== asked?.to) {
      client.drop("carry");
      waiting.value = null;
    }
    button.hidden = asked === null;
    attribute(button, "aria-disabled", waits ? "true" : null);
    if (asked) write(words, waits ? "carrying the region…" : `carry the region from frame ${asked.from}`);
  });
  return button;
}
