// `index.html?theme=dark&width=900&fail=grid,map&silent=curve&frames=32&delay=1&views=2&preparing`
import type { AnyModel } from "@anywidget/types";
import widget from "../src/index";
import type { Traits } from "../src/state/traits";
import { canvasInfo } from "./fake_canvas";
import { fakeKernel } from "./fake_kernel";
import { FakeModel } from "./fake_model";

const query = new URLSearchParams(location.search);
const list = (name: string) => new Set((query.get(name) ?? "").split(",").filter(Boolean));
const asNumber = (name: string, otherwise: number) => Number(query.get(name) ?? otherwise);
const options = {
  frames: asNumber("frames", 32),
  height: asNumber("h", 128),
  width: asNumber("w", 256),
  delay: asNumber("delay", 1),
  failing: list("fail"),
  silent: list("silent"),
};
document.documentElement.dataset.theme = query.get("theme") ?? "light";
const page = document.querySelector<HTMLElement>("#page");
if (page) page.style.width = `${asNumber("width", 1200)}px`;

const model = new FakeModel(
  {
    _canvas: query.has("preparing") ? {} : canvasInfo(options),
    layer: "decoder.1.conv.upconv.0",
    time: asNumber("time", 12) % options.frames,
    neuron: query.has("nothing") ? null : [4, 43],
    neurons: query.has("nothing") ? [] : [[4, 43]],
    region: null,
    pixel: query.has("nothing") ? null : [Math.floor(options.height / 2), Math.floor(options.width / 3)],
    cluster: asNumber("cluster", -1),
    cluster_names: {},
    loop: null,
    n_clusters: 8,
    rule: "xinc",
    source: query.get("source") ?? "reconstruction",
    maps: query.get("maps") ?? "magnitude",
    palette: query.get("palette") ?? "viridis",
    opacity: 0.85,
    contrast: asNumber("contrast", 1),
    sort: query.get("sort") ?? "total",
    playing: false,
    fps: 12,
  },
  fakeKernel(options),
);
Object.assign(window, { model });
const typed = model as unknown as AnyModel<Traits>;
widget.initialize({ model: typed });
for (let i = 0; i < asNumber("views", 1); i++) {
  const el = document.createElement("div");
  page?.append(el);
  widget.render({ model: typed, el });
}
