// Light or dark, as the host paints: measured, since every host names its theme differently.
import { attribute } from "./dom";

/** Relative luminance of a computed colour; null where it is transparent or not understood. */
export function luminance(colour: string): number | null {
  const parts = colour.match(/[\d.]+/g)?.map(Number) ?? [];
  const [r, g, b, alpha = 1] = colour.startsWith("color(srgb")
    ? parts.map((part, i) => (i < 3 ? part * 255 : part))
    : parts;
  if (r === undefined || g === undefined || b === undefined || alpha === 0) return null;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

/** The element around another, out of a shadow root too. */
function around(element: Element): Element | null {
  const root = element.getRootNode();
  return element.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
}

/**
 * What the host paints behind the widget: the nearest background that is not transparent, else the colour scheme that it
 * declares; null where it says neither. A host may be light on a dark system: a document that paints nothing is white, but
 * one in a frame shows what is behind the frame.
 */
export function hostTheme(root: Element): "light" | "dark" | null {
  for (let at = around(root); at; at = around(at)) {
    const light = luminance(getComputedStyle(at).backgroundColor);
    if (light !== null) return light < 0.5 ? "dark" : "light";
  }
  const [scheme = "", other] = getComputedStyle(around(root) ?? root).colorScheme.split(" ");
  if (scheme === "normal" && window.parent === window) return "light";
  return (scheme === "light" || scheme === "dark") && !other ? scheme : null;
}

/** Keeps `data-theme` on the root equal to what its background looks like, and says when it has changed. */
export function followTheme(root: HTMLElement, signal: AbortSignal, changed: () => void): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const measure = () => {
    // Our own colours, for hosts that name none.
    const host = hostTheme(root);
    attribute(root, "data-host", host);
    root.removeAttribute("data-own");
    let light = luminance(getComputedStyle(root).backgroundColor);
    // And for hosts whose names are wrong: Shiny and Panel have JupyterLab's light colours with them in a dark page too.
    if (host !== null && light !== null && light < 0.5 !== (host === "dark")) {
      attribute(root, "data-own", true);
      light = luminance(getComputedStyle(root).backgroundColor);
    }
    const theme = (light === null ? dark.matches : light < 0.5) ? "dark" : "light";
    root.dataset.theme = theme;
    root.style.colorScheme = theme;
    changed();
  };
  // The host swaps its style sheets after it has changed the attributes.
  const soon = () => {
    measure();
    setTimeout(() => signal.aborted || measure(), 250);
  };
  measure();
  // Charts take their colours when they are drawn.
  for (const query of [dark, matchMedia("(forced-colors: active)")])
    query.addEventListener("change", soon, { signal });
  const observer = new MutationObserver(soon);
  for (const element of [document.documentElement, document.body])
    observer.observe(element, {
      attributes: true,
      attributeFilter: [
        "class",
        "style",
        "data-jp-theme-name",
        "data-jp-theme-light",
        "data-theme",
        "data-bs-theme",
        "data-vscode-theme-kind",
      ],
    });
  signal.addEventListener("abort", () => observer.disconnect());
}

/** Reads a colour of the theme when it is drawn, since the theme may change. */
export function themeColours(root: Element): (name: string) => string {
  return (name) => getComputedStyle(root).getPropertyValue(name).trim() || "#888";
}
