// What a saved page, which has no kernel, contains: its view offers no more than that.
import type { CanvasInfo } from "../transport/messages";
import { same } from "../transport/same";

export interface Saved {
  /** The frames that it keeps, by their numbers in the clip. */
  frames: number[];
  /** By layer, the neurons whose maps it keeps. */
  neurons: Record<string, number[][]>;
}

type Canvas = CanvasInfo | Record<string, never>;

/** What the page contains; null where there is a kernel. */
export function savedOf(canvas: Canvas): Saved | null {
  return (canvas as { saved?: Saved }).saved ?? null;
}

export const NOT_KEPT = "This page does not keep the map of this neuron";

/** Whether a neuron can be selected: the page keeps its map, or there is a kernel. */
export function hasMap(canvas: Canvas, layer: string, neuron: number[]): boolean {
  const saved = savedOf(canvas);
  return !saved || (saved.neurons[layer] ?? []).some((one) => same(one, neuron));
}

const every = new Map<number, number[]>();

/** The numbers of the frames that can be shown, in order. */
export function framesOf(canvas: Canvas): readonly number[] {
  const saved = savedOf(canvas);
  if (saved) return saved.frames;
  const { n_frames = 0 } = canvas as Partial<CanvasInfo>;
  const known = every.get(n_frames) ?? Array.from({ length: n_frames }, (_, frame) => frame);
  every.set(n_frames, known);
  return known;
}

/** Whether there are no gaps between the frames: with gaps there are no changes between frames to show. */
export function areConsecutive(frames: readonly number[]): boolean {
  return frames.length > 1 && (frames.at(-1) ?? 0) - (frames[0] ?? 0) === frames.length - 1;
}

/** The place of the frame that is nearest to a number. */
export function nearestFrame(frames: readonly number[], time: number): number {
  return frames.reduce(
    (best, frame, at) => (Math.abs(frame - time) < Math.abs((frames[best] ?? 0) - time) ? at : best),
    0,
  );
}

/** The frame that a slider is moved to: the nearest, or the next one that way where that is the one it stands at. */
export function frameToward(frames: readonly number[], from: number, to: number): number {
  const at = nearestFrame(frames, to);
  const next = frames[at] === from ? at + Math.sign(to - from) : at;
  return frames[Math.max(0, Math.min(frames.length - 1, next))] ?? from;
}
