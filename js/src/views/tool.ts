// What the tools have in common that draw with presses and with keys: the brush and the polygon.
import type { Point } from "../state/raster";

/** Where the frame lies on its stage, in CSS pixels; `scale` is how many one pixel of the frame takes. */
export interface Place {
  left: number;
  top: number;
  scale: number;
}

export interface Tool {
  /** On the picture while the tool is in hand. */
  readonly bar: HTMLElement;
  /** `alt` is whether Alt is held. */
  press(at: Point, alt: boolean): void;
  drag(at: Point): void;
  lift(): void;
  /** Forgets the press that is under way: a second finger zooms. */
  cancel(): void;
  /** Forgets everything: the tool is put away. */
  drop(): void;
  /** Of a double click, whose two clicks have come before it. */
  finish(): void;
  /** A key that means something to the tool. */
  key(name: string): (() => void) | null;
  /** Enter; whether the tool is put away by it. */
  enter(): boolean;
  /** Draws the tool's marks, the pointer being at `cursor`. Read inside an effect. */
  draw(group: SVGElement, place: Place, cursor: Point | null): void;
  /** For the status line when the tool is taken by keyboard. */
  readonly hint: string;
}
