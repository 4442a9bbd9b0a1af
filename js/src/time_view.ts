// The selection's total on every frame, filled in as it is computed; the playhead can be dragged on it.
import uPlot from "uplot";
import { goTo } from "./actions";
import { attribute, h, type View, write } from "./dom";
import { number, percent } from "./format";
import { createPanel } from "./panel";
import { selectionKey, selectionLabel } from "./selection";
import { ready, same } from "./store";

export function createTimeView(view: View) {
  const { store, curve, maps } = view.session;
  const panel = createPanel(view, "time", "Time", () => curve.retry());
  const chart = h("div", { class: "cw-curve", "data-testid": "curve", "data-done": 0 });
  const start = h(
    "button",
    { class: "cw-button", type: "button", "data-testid": "whole-layer", on: { click: () => curve.start() } },
    "whole layer",
  );
  const words = h("span", {});
  const hint = h("p", { class: "cw-hint" }, words, start);
  panel.body.append(chart, hint);

  let plot: uPlot | null = null;
  let frames = 0;
  const colour = (name: string) => getComputedStyle(view.root).getPropertyValue(name).trim() || "#888";
  const data = (): uPlot.AlignedData => {
    const totals = curve.shown.peek()?.totals ?? new Float64Array(frames).fill(Number.NaN);
    return [
      Array.from(totals, (_, frame) => frame),
      Array.from(totals, (total) => (Number.isNaN(total) ? null : total)),
    ];
  };
  const playhead = (u: uPlot) => {
    const x = Math.round(u.valToPos(store.time.peek(), "x", true)) + 0.5;
    const { ctx } = u;
    ctx.save();
    ctx.strokeStyle = colour("--cw-fg");
    ctx.lineWidth = Math.max(1, devicePixelRatio);
    ctx.beginPath();
    ctx.moveTo(x, u.bbox.top);
    ctx.lineTo(x, u.bbox.top + u.bbox.height);
    ctx.stroke();
    ctx.restore();
  };
  const axis = (size: number): uPlot.Axis => ({
    stroke: () => colour("--cw-muted"),
    grid: { stroke: () => colour("--cw-line"), width: 1 },
    ticks: { stroke: () => colour("--cw-line"), width: 1, size: 4 },
    font: "11px system-ui, sans-serif",
    gap: 4,
    size,
  });
  const make = (width: number, height: number) => {
    plot = new uPlot(
      {
        width,
        height,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: {
          x: { time: false, range: () => [0, Math.max(1, frames - 1)] },
          y: { range: (_u, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 1, 1e-12) * 1.06] },
        },
        axes: [
          { ...axis(24), incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
          {
            ...axis(56),
            values: (_u, splits) => {
              // Before the first total there is no scale to read.
              const known = (curve.shown.peek()?.done ?? 0) > 0;
              return splits.map((split) =>
                known
                  ? number(split)
                      .replace(/(\.\d*?)0+$/, "$1")
                      .replace(/\.$/, "")
                  : "",
              );
            },
            space: 28,
          },
        ],
        series: [
          {},
          {
            stroke: () => colour("--cw-accent"),
            fill: () => colour("--cw-accent-wash"),
            width: 1.75,
            points: { size: 5, fill: () => colour("--cw-accent"), space: 8 },
          },
        ],
        hooks: { draw: [playhead] },
      },
      data(),
      chart,
    );
    plot.over.addEventListener("pointerdown", (event) => {
      plot?.over.setPointerCapture?.(event.pointerId);
      seek(event);
    });
    plot.over.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) seek(event);
    });
  };
  const seek = (event: PointerEvent) => {
    if (!plot) return;
    goTo(store, plot.posToVal(event.clientX - plot.over.getBoundingClientRect().left, "x"));
  };

  const draw = view.painter(() => {
    const { clientWidth: width, clientHeight: height } = chart;
    if (chart.hidden || width < 40 || height < 40 || frames < 2) return;
    if (!plot) return make(width, height);
    if (plot.width !== width || plot.height !== height) plot.setSize({ width, height });
    plot.setData(data());
  });
  view.effect(() => {
    store.time.value;
    if (plot) plot.redraw(false);
  });
  view.effect(() => {
    const info = store._canvas.value;
    frames = ready(info) ? info.n_frames : 0;
    const shown = curve.shown.value;
    curve.arrivals.value;
    panel.stand(frames < 2 ? "ready" : curve.state.value, curve.error.value);
    attribute(chart, "data-done", shown?.done ?? 0);
    attribute(chart, "data-total", frames);
    attribute(chart, "data-selection", shown ? selectionKey(shown.selection) : "");
    chart.hidden = !shown;
    hint.hidden = shown !== null;
    start.hidden = frames < 2;
    draw();
  });
  view.effect(() => {
    const shown = curve.shown.value;
    curve.arrivals.value;
    const time = store.time.value;
    if (!shown) return write(panel.label, "");
    const [before, now] = [shown.totals[time - 1] ?? Number.NaN, shown.totals[time] ?? Number.NaN];
    const parts = [selectionLabel(shown.selection)];
    if (shown.done < shown.totals.length) parts.push(`${shown.done} / ${shown.totals.length} frames`);
    if (!Number.isNaN(now)) parts.push(`total ${number(now)} at ${time}`);
    if (before > 0 && !Number.isNaN(now)) {
      const change = now / before - 1;
      parts.push(`${change < 0 ? "−" : "+"}${percent(Math.abs(change))} since ${time - 1}`);
    }
    write(panel.label, parts.join(" · "));
  });
  view.effect(() => {
    if (frames >= 2 || !ready(store._canvas.value)) {
      write(words, "Select a neuron or a cluster, or sum up the");
      return;
    }
    const map = maps.shown.value;
    const current =
      map && same(map.selection.neuron, store.neuron.value) && map.selection.layer === store.layer.value;
    const total = current ? `: ${selectionLabel(map.selection)} adds up to ${number(map.total)}` : "";
    write(words, `A single image has no time${total}`);
  });
  const observer = new ResizeObserver(draw);
  observer.observe(panel.body);
  view.signal.addEventListener("abort", () => {
    observer.disconnect();
    plot?.destroy();
    plot = null;
  });
  return {
    element: panel.element,
    restyle() {
      plot?.redraw();
    },
  };
}
