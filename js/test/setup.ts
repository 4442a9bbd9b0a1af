import { vi } from "vitest";

// The chart library draws on a real canvas only: how it looks is seen in a browser, here it is a plain element.
vi.mock("uplot", () => ({
  default: class {
    over = document.createElement("div");
    constructor(_options: unknown, _data: unknown, target: HTMLElement) {
      this.over.className = "u-over";
      target.append(this.over);
    }
    setData() {}
    setSize() {}
    redraw() {}
    destroy() {}
    posToVal(x: number) {
      return x / 40;
    }
  },
}));

// Browsers keep where the focus was when a dialog opens, and put it back.
const before = new WeakMap<HTMLDialogElement, Element | null>();
HTMLDialogElement.prototype.showModal = function () {
  before.set(this, document.activeElement);
  this.open = true;
};
const { close } = HTMLDialogElement.prototype;
HTMLDialogElement.prototype.close = function (value) {
  close.call(this, value);
  (before.get(this) as HTMLElement | null)?.focus();
};
