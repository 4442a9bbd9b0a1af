// Making elements and changing their attributes.

type Child = Node | string | null;
type Handlers = { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
interface Props {
  class?: string;
  on?: Handlers;
  [attribute: string]: string | number | boolean | null | undefined | Handlers;
}

const FOCUSABLE = new Set<string>(["button", "input", "select", "summary"]);

/** `h("button", { class: "cw-x", on: { click } }, "text")`; attributes that are false, null or undefined are left out. */
export function h<T extends keyof HTMLElementTagNameMap>(
  tag: T,
  { on, ...attributes }: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[T] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) attribute(element, name, value as string);
  // Shortcuts of the notebook whose selector ends in `:focus` match the focused element itself, before they reach
  // the attribute on the widget's root: it has to be on everything that can have the focus.
  if (FOCUSABLE.has(tag) || "tabindex" in attributes)
    attribute(element, "data-lm-suppress-shortcuts", "true");
  for (const [name, handler] of Object.entries(on ?? {}))
    element.addEventListener(name, handler as EventListener);
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function svg(
  tag: string,
  attributes: Record<string, string | number>,
  ...children: Node[]
): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

export function attribute(
  element: Element,
  name: string,
  value: string | number | boolean | null | undefined,
): void {
  const text = value === true ? "" : String(value);
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Sets the text only when it changes: screen readers repeat a live region that is written again. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  box: "M2 3h12v10H2zm1.5 1.5v7h9v-7z",
  lasso:
    "M8 2a6 4.5 0 1 0 0 9a6 4.5 0 1 0 0-9zm0 1.5a4.5 3 0 1 1 0 6a4.5 3 0 1 1 0-6zM4.6 9.6l1.4.6-1.2 4-1.4-.5z",
  polygon: "M4.2 2L14 6.2 12 14H2.5L1.6 7zM4.8 3.8L3.2 7.5l.8 5h6.9l1.4-5.4z",
  brush:
    "M13.9 1.2l1 .9-6 7.5-1.9-1.6zM6.1 8.8l2 1.7c.2 2.4-1.7 4-6.6 3.8 1.5-.8 1.4-1.6 1.6-3 .2-1.4 1.4-2.6 3-2.5z",
  eraser: "M9.5 2l5 5-6.4 6.5H14V15H4.6L1.5 10zM5.9 7.7l-2.3 2.4 2.4 2.5h.6l2.5-2.5z",
  carry: "M1.5 5h6v6h-6zM3 6.5v3h3v-3zM9 7.2h3L10.6 5.8l1-1L14.8 8l-3.2 3.2-1-1L12 8.8H9z",
  pencil: "M11.5 1.5l3 3-9 9-4 1 1-4zM11.5 3.6l-7.6 7.6-.5 1.4 1.4-.5 7.6-7.6z",
  out: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13zm0 1.5a5 5 0 0 1 3.9 8.1L4.9 4.1A5 5 0 0 1 8 3zM4.1 4.9l7 7A5 5 0 0 1 4.1 4.9z",
  columns:
    "M1 3h4v10H1zm1.2 1.2v7.6h1.6V4.2zM6 3h4v10H6zm1.2 1.2v7.6h1.6V4.2zM11 3h4v10h-4zm1.2 1.2v7.6h1.6V4.2z",
  undo: "M6 2.5L2 6l4 3.5V7h3.5a2.75 2.75 0 0 1 0 5.5H5V14h4.5a4.25 4.25 0 0 0 0-8.5H6z",
  redo: "M10 2.5L14 6l-4 3.5V7H6.5a2.75 2.75 0 0 0 0 5.5H11V14H6.5a4.25 4.25 0 0 1 0-8.5H10z",
  expand: "M2 2h5v1.5H4.6L7 5.9 5.9 7 3.5 4.6V7H2zM14 14H9v-1.5h2.4L9 10.1 10.1 9l2.4 2.4V9H14z",
  shrink: "M7 7H2V5.5h2.4L2 3.1 3.1 2l2.4 2.4V2H7zM9 9h5v1.5h-2.4l2.4 2.4-1.1 1.1-2.4-2.4V14H9z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  several: "M2 2h12v12H2zm1.5 1.5v9h9v-9zM4.3 8l1-1 1.8 1.8L10.7 5l1 1-4.6 4.9z",
  locked: "M5 7V5a3 3 0 0 1 6 0v2h1.5v7h-9V7zm1.5 0h3V5a1.5 1.5 0 0 0-3 0z",
  unlocked: "M5 7V4a3 3 0 0 1 5.8-1l-1.4.5A1.5 1.5 0 0 0 6.5 4v3h6v7h-9V7z",
};

export function icon(name: keyof typeof ICONS): SVGElement {
  return svg(
    "svg",
    { class: "cw-icon", viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: ICONS[name] }),
  );
}

/** Whether the focus is on the element or in it. */
export function holdsFocus(element: Element): boolean {
  return element.contains((element.getRootNode() as Document | ShadowRoot).activeElement);
}

/** Whether a click adds to what is chosen: with Shift, or, as in other programs, with Ctrl or Command. */
export function adds({ shiftKey, ctrlKey, metaKey }: MouseEvent): boolean {
  return shiftKey || ctrlKey || metaKey;
}

/** How much the host has magnified the page with the CSS property `zoom`: boxes and pointers count that in. */
export function zoomOf(element: Element): number {
  return element.currentCSSZoom || 1;
}

/** An id no other element of the page has, for labels. */
let ids = 0;
export function uniqueId(): string {
  ids += 1;
  return `cw-${ids}-${Math.floor(Math.random() * 1e9).toString(36)}`;
}
