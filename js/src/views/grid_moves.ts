// Thumbnails move to their new places when the order changes, where motion is not to be reduced.
import { isMotionReduced } from "../ui/motion";

/** In ms. */
const DURATION = 160;

export function createMoves() {
  /** By neuron, the place where its thumbnail was painted last. */
  let places = new Map<string, number>();
  let known = new Map<string, number>();
  let subject = "";
  return {
    /** Begins a painting of the neurons of one layer. */
    begin(layer: string): void {
      if (layer !== subject) places = new Map();
      subject = layer;
      known = new Map();
    },
    /** A neuron's thumbnail stands at `index` now; `transform` gives the style of a place. */
    put(button: HTMLElement, index: number, transform: (index: number) => string): void {
      const { neuron } = button.dataset;
      if (!neuron) return;
      const from = places.get(neuron);
      known.set(neuron, index);
      if (from === undefined || from === index || isMotionReduced()) return;
      button.animate([{ transform: transform(from) }, { transform: transform(index) }], {
        duration: DURATION,
        easing: "ease-out",
      });
    },
    /** Ends it. While thumbnails of the new order are on their way, the places of the others are kept. */
    end(count: number): void {
      places = known.size === count ? known : new Map([...places, ...known]);
    },
  };
}
