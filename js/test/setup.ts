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
