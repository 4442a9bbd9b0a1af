// Two fingers on an element: how they move apart and along.

export interface Pinch {
  /** How many times farther apart the fingers are than at the last event. */
  factor: number;
  /** Between the fingers, in CSS pixels of the page. */
  clientX: number;
  clientY: number;
  /** How far that point moved. */
  dx: number;
  dy: number;
}

/** Calls `move` while two fingers are on `element`, and `begin` when the second touches it. */
export function watchPinch(
  element: HTMLElement,
  begin: () => void,
  move: (pinch: Pinch, event: PointerEvent) => void,
): void {
  const fingers = new Map<number, { x: number; y: number }>();
  const look = () => {
    const [a, b] = [...fingers.values()];
    if (!a || !b) return null;
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)) };
  };
  const at = (event: PointerEvent) => ({ x: event.clientX, y: event.clientY });
  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, at(event));
    if (fingers.size === 2) begin();
  });
  element.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    const before = look();
    fingers.set(event.pointerId, at(event));
    const now = look();
    if (fingers.size !== 2 || !before || !now) return;
    const [dx, dy] = [now.x - before.x, now.y - before.y];
    move({ factor: now.apart / before.apart, clientX: now.x, clientY: now.y, dx, dy }, event);
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"] as const)
    element.addEventListener(end, (event) => fingers.delete(event.pointerId));
}
