// Which part of the image the stage shows: fitted at zoom 1, never scrolled off the stage.

export interface Size {
  width: number;
  height: number;
}

/** Where the image lies on the stage, in CSS pixels. */
export interface Placed extends Size {
  left: number;
  top: number;
}

export interface Viewport {
  zoom: number;
  /** The point of the image at the middle of the stage, 0 to 1. */
  x: number;
  y: number;
}

export const FITTED: Viewport = { zoom: 1, x: 0.5, y: 0.5 };
/** How many times larger or smaller a key or a button makes the picture. */
export const ZOOM_STEP = 1.5;
const MOST_PIXELS = 64;

export function place({ zoom, x, y }: Viewport, stage: Size, image: Size): Placed {
  const scale = zoom * Math.min(stage.width / image.width, stage.height / image.height);
  const width = image.width * scale;
  const height = image.height * scale;
  return { left: stage.width / 2 - x * width, top: stage.height / 2 - y * height, width, height };
}

function settle(middle: number, visible: number): number {
  const half = visible / 2;
  return half >= 0.5 ? 0.5 : Math.max(half, Math.min(1 - half, middle));
}

export function settled(viewport: Viewport, stage: Size, image: Size): Viewport {
  const { width, height } = place(viewport, stage, image);
  return {
    zoom: viewport.zoom,
    x: settle(viewport.x, stage.width / width),
    y: settle(viewport.y, stage.height / height),
  };
}

/** Zooms by `factor` and keeps the image point under `at` (stage coordinates) where it is. */
export function zoomAt(
  viewport: Viewport,
  factor: number,
  at: { x: number; y: number },
  stage: Size,
  image: Size,
): Viewport {
  const before = place(viewport, stage, image);
  const most = Math.max(1, (MOST_PIXELS * image.width * viewport.zoom) / before.width);
  const zoom = Math.max(1, Math.min(most, viewport.zoom * factor));
  const u = (at.x - before.left) / before.width;
  const v = (at.y - before.top) / before.height;
  const after = place({ zoom, x: 0, y: 0 }, stage, image);
  const x = u - (at.x - stage.width / 2) / after.width;
  const y = v - (at.y - stage.height / 2) / after.height;
  return settled({ zoom, x, y }, stage, image);
}

export function pan(viewport: Viewport, dx: number, dy: number, stage: Size, image: Size): Viewport {
  const { width, height } = place(viewport, stage, image);
  return settled({ ...viewport, x: viewport.x - dx / width, y: viewport.y - dy / height }, stage, image);
}

/** The image pixel `[y, x]` under a point of the page, or null outside the image. */
export function pixelAt(
  clientX: number,
  clientY: number,
  box: { left: number; top: number; width: number; height: number },
  image: Size,
): [number, number] | null {
  const x = Math.floor(((clientX - box.left) / box.width) * image.width);
  const y = Math.floor(((clientY - box.top) / box.height) * image.height);
  return x >= 0 && y >= 0 && x < image.width && y < image.height ? [y, x] : null;
}
