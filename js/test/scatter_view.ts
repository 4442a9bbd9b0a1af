// The scatter of a view, open, with three neurons apart from all others.
import { type OpenView, pass } from "./view";

/** All points in a corner but the first three. */
export function points(): Uint8Array {
  const all = new Float32Array(36 * 96 * 2).fill(0.01);
  all.set([0.5, 0.5, 0.6, 0.5, 0.5, 0.6]);
  return new Uint8Array(all.buffer);
}

/** A place of the stage, which is 320 x 160 with 8 of padding on each side. */
export const at = (x: number, y: number): [number, number] => [8 + x * 304, 8 + (1 - y) * 144];

export function scatterOf(view: OpenView) {
  const button = (value: string) => view.page.find(`.cw-segment[data-value=${value}]`);
  return {
    button,
    stage: () => view.page.find(".cw-scatter-stage"),
    async open() {
      view.open();
      await view.settle();
      button("scatter").click();
      pass();
      await view.model.reply(view.model.last("scatter"), {}, points());
      pass();
    },
  };
}
