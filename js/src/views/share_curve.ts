// How much of a pixel its strongest neurons make: the share against their number, one line a layer.

import { count, percent } from "../state/format";
import type { LayerShare } from "../transport/messages";
import { attribute, h, svg } from "../ui/dom";

const [WIDTH, HEIGHT] = [240, 84];
const [LEFT, RIGHT, TOP, BOTTOM] = [34, 8, 6, 16];

export function createShareCurve() {
  const plot = svg("svg", {
    class: "cw-share-curve",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    "data-testid": "share-curve",
  });
  const element = h("div", { class: "cw-share" });
  element.append(plot);

  const draw = (shares: LayerShare[], current: string) => {
    element.hidden = shares.length === 0;
    plot.replaceChildren();
    if (shares.length === 0) return;
    const decades = Math.max(1, Math.log10(Math.max(...shares.map(({ n_neurons }) => n_neurons))));
    const x = (n: number) => LEFT + (Math.log10(Math.max(1, n)) / decades) * (WIDTH - LEFT - RIGHT);
    const y = (share: number) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
    const text = (words: string, at: [number, number], anchor: string) => {
      const element = svg("text", { x: at[0], y: at[1], "text-anchor": anchor });
      element.textContent = words;
      return element;
    };
    for (const part of [0.5, 0.9])
      plot.append(
        svg("path", { class: "cw-share-grid", d: `M${LEFT} ${y(part)}H${WIDTH - RIGHT}` }),
        text(`${part * 100} %`, [LEFT - 4, y(part) + 3.5], "end"),
      );
    // Of many decades every second one: their numbers are as wide as the gap between them.
    for (let power = 0; power <= decades; power += decades > 4 ? 2 : 1)
      plot.append(text(count(10 ** power), [x(10 ** power), HEIGHT - 4], power === 0 ? "start" : "middle"));
    // The current layer is drawn last, over the others.
    const order = [...shares].sort((a, b) => Number(a.layer === current) - Number(b.layer === current));
    for (const { layer, counts, shares: part, n50, n90 } of order) {
      const chosen = layer === current;
      const points = counts.map((n, i) => `${x(n).toFixed(1)} ${y(part[i] ?? 0).toFixed(1)}`);
      if (points.length === 0) continue;
      const line = svg("path", {
        class: `cw-share-line${chosen ? " cw-current" : ""}`,
        "data-layer": layer,
        d: `M${points.join("L")}`,
      });
      const title = svg("title", {});
      title.textContent = `${layer}: ${count(n50)} neurons make 50 %, ${count(n90)} make 90 %`;
      line.append(title);
      plot.append(line);
      if (!chosen) continue;
      for (const [n, share] of [
        [n50, 0.5],
        [n90, 0.9],
      ] as const)
        plot.append(svg("circle", { class: "cw-share-dot", cx: x(n), cy: y(share), r: 2.5 }));
      const first = percent(part[0] ?? 0);
      attribute(
        plot,
        "aria-label",
        `Share curve of ${layer}: the strongest neuron makes ${first}, ${count(n50)} make half, ${count(n90)} make nine tenths`,
      );
    }
  };
  return { element, draw };
}
