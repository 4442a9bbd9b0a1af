// Whether the host still has a kernel: a shutdown has no event.
import type { Model } from "./model";

/** What Jupyter's widget manager knows of its kernel; other hosts have no such object. */
interface Host {
  widget_manager?: { kernel?: { isDisposed?: boolean; status?: string } | null };
}

export function isShutDown(model: Model): boolean {
  const { widget_manager: manager } = model as Host;
  if (!manager || !("kernel" in manager)) return false;
  const { kernel } = manager;
  return !kernel || kernel.isDisposed === true || kernel.status === "dead" || kernel.status === "terminating";
}
