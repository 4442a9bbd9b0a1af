// Light or dark, as the host paints: measured, since every host names its theme differently.

/** Relative luminance of a computed colour; null where it is transparent or not understood. */
export function luminance(colour: string): number | null {
  const parts = colour.match(/[\d.]+/g)?.map(Number) ?? [];
  const [r, g, b, alpha = 1] = colour.startsWith("color(srgb")
    ? parts.map((part, i) => (i < 3 ? part * 255 : part))
    : parts;
  if (r === undefined || g === undefined || b === undefined || alpha === 0) return null;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

/** Keeps `data-theme` on the root equal to what its background looks like, and says when it has changed. */
export function followTheme(root: HTMLElement, signal: AbortSignal, changed: () => void): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const measure = () => {
    const light = luminance(getComputedStyle(root).backgroundColor);
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
  dark.addEventListener("change", soon, { signal });
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
        "data-vscode-theme-kind",
      ],
    });
  signal.addEventListener("abort", () => observer.disconnect());
}
