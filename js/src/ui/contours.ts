// Lines on a map that tell where it reaches some part of what its colours end at: marching squares over its pixels' middles.

import { CONTOURS } from "../transport/constants";
import { svg } from "./dom";
import { levelValue, type Range, reach, type Style } from "./palette";
import type { Placed, Size } from "./viewport";

export interface Plane extends Range, Size {
  data: Uint8Array;
}

/** An SVG path in pixels of a picture that is `pixels` wide. `top` as in `composePicture`. */
export function contourPath(plane: Plane, style: Style, top: number | null, pixels: number): string {
  const { data, width, height } = plane;
  const signed = style.maps === "signed";
  const values = Float32Array.from({ length: 256 }, (_, level) => {
    const value = levelValue(level, plane);
    return signed ? value : Math.abs(value);
  });
  const value = (at: number) => values[data[at] ?? 0] ?? 0;
  const end = (top ?? reach(plane)) / style.contrast;
  const levels = CONTOURS.flatMap((part) => (signed ? [part * end, -part * end] : [part * end]));
  const scale = pixels / width;
  const place = (x: number, y: number) =>
    `${Math.round((x + 0.5) * scale * 100) / 100} ${Math.round((y + 0.5) * scale * 100) / 100}`;
  let path = "";
  for (const level of levels)
    for (let y = 0; y + 1 < height; y++)
      for (let x = 0, at = y * width; x + 1 < width; x++, at++) {
        const corners = [value(at), value(at + 1), value(at + width + 1), value(at + width)] as const;
        const [a, b, c, d] = corners;
        const above = +(a > level) + +(b > level) + +(c > level) + +(d > level);
        if (above % 4 === 0) continue;
        const ends: string[] = [];
        const cross = (from: number, to: number, x0: number, y0: number, dx: number, dy: number) => {
          if (from > level === to > level) return;
          const part = (level - from) / (to - from);
          ends.push(place(x0 + part * dx, y0 + part * dy));
        };
        cross(a, b, x, y, 1, 0);
        cross(b, c, x + 1, y, 0, 1);
        cross(c, d, x + 1, y + 1, -1, 0);
        cross(d, a, x, y + 1, 0, -1);
        for (let i = 0; i < ends.length; i += 2) path += `M${ends[i]}L${ends[i + 1]}`;
      }
  return path;
}

/** The lines over a frame: `draw` an SVG path in its pixels, and `place` it where the frame lies. */
export function createContours() {
  const paths = ["cw-halo", "cw-line"].map((kind) =>
    svg("path", { class: kind, d: "", "vector-effect": "non-scaling-stroke" }),
  );
  const element = svg("g", { class: "cw-contours", "data-testid": "contours" }, ...paths);
  return {
    element,
    draw(path: string): void {
      for (const one of paths) if (one.getAttribute("d") !== path) one.setAttribute("d", path);
    },
    place({ left, top, width }: Placed, image: Size): void {
      element.setAttribute("transform", `translate(${left} ${top}) scale(${width / image.width})`);
    },
    path: () => paths[0]?.getAttribute("d") ?? "",
  };
}
