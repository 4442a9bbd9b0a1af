// The card of a term: its sentence and a link into the documents, below the word that the pointer rests on. It stays
// while the pointer is on it, and Escape closes it (WCAG 1.4.13). By keyboard, the help has the same sentences and links.
import { attribute, h, zoomOf } from "./dom";
import { isTerm, linkOf, TERMS, type Term } from "./terms";

const OPENS_AFTER = 350;
const CLOSES_AFTER = 250;
const GAP = 4;

/** Gives an element the card of a term, with `detail` after its sentence; an outer title does not show over it. */
export function explain<E extends Element>(element: E, term: Term, detail = ""): E {
  attribute(element, "data-term", term);
  attribute(element, "data-detail", detail || null);
  attribute(element, "title", "");
  // What can have the focus has the sentence as its description.
  if (element.matches("button, select")) attribute(element, "aria-description", told(term, detail));
  return element;
}

function told(term: Term, detail: string): string {
  return detail ? `${TERMS[term]} ${detail}` : TERMS[term];
}

/** A word that has a card. */
export function word(term: Term, text: string = term, more = ""): HTMLElement {
  return explain(h("span", { class: `cw-term ${more}`.trim() }, text), term);
}

/** The link from a term to its section of the documents. */
export function documentLink(term: Term): HTMLAnchorElement {
  return h(
    "a",
    {
      class: "cw-term-link",
      href: linkOf(term),
      target: "_blank",
      rel: "noopener noreferrer",
      "aria-label": `more about ${term}`,
    },
    "more",
  );
}

/** The one card of a view: it follows the words that `explain` marked. */
export function createTermCard(root: HTMLElement, signal: AbortSignal): HTMLElement {
  const card = h("div", { class: "cw-term-card", hidden: true, "data-testid": "term-card" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const after = (ms: number, act: () => void) => {
    clearTimeout(timer);
    timer = setTimeout(act, ms);
  };
  const close = () => {
    clearTimeout(timer);
    card.hidden = true;
  };
  const open = (at: Element, term: Term) => {
    const detail = at.getAttribute("data-detail") ?? "";
    card.replaceChildren(h("b", {}, term), " ", told(term, detail), " ", documentLink(term));
    attribute(card, "data-of", term);
    // A word in a dialog lies over the widget, and so must its card.
    (at.closest("dialog") ?? root).append(card);
    card.hidden = false;
    const [box, within] = [at.getBoundingClientRect(), (card.offsetParent ?? root).getBoundingClientRect()];
    const scale = zoomOf(root);
    const room = (within.width - GAP) / scale - card.offsetWidth - GAP;
    const left = Math.max(GAP, Math.min((box.left - within.left) / scale, room));
    const above = box.bottom + card.offsetHeight * scale + GAP > window.innerHeight;
    const top = above
      ? (box.top - within.top) / scale - card.offsetHeight - GAP
      : (box.bottom - within.top) / scale + GAP;
    Object.assign(card.style, { left: `${left}px`, top: `${top}px` });
  };
  root.addEventListener("pointerover", ({ target }) => {
    if (!(target instanceof Element)) return;
    if (card.contains(target)) return clearTimeout(timer);
    const at = target.closest("[data-term]");
    const term = at?.getAttribute("data-term") ?? "";
    if (at && isTerm(term)) after(card.hidden ? OPENS_AFTER : CLOSES_AFTER, () => open(at, term));
    else after(CLOSES_AFTER, close);
  });
  root.addEventListener("pointerleave", () => after(CLOSES_AFTER, close));
  root.addEventListener("pointerdown", ({ target }) => {
    if (!card.contains(target as Node)) close();
  });
  // Wherever the focus is: the pointer alone has opened the card.
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || card.hidden) return;
      close();
      // A dialog that was opened over the card takes the key.
      const dialog = root.querySelector("dialog[open]");
      if (dialog && !dialog.contains(card)) return;
      event.stopPropagation();
      event.preventDefault(); // or the browser closes the dialog that the card is in
    },
    { capture: true, signal },
  );
  signal.addEventListener("abort", close);
  return card;
}
