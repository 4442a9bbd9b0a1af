// Whether things move on the page.

/** Whether the reader asked the system for less motion. */
export function isMotionReduced(): boolean {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}
