// A dialog over everything. The browser keeps the focus in it and gives it back after; Escape and a press beside it
// close it.
import { h } from "./dom";

export interface Dialog {
  element: HTMLDialogElement;
  close: HTMLButtonElement;
  toggle(open?: boolean): void;
  isOpen(): boolean;
}

/** `changed` is called after it has been opened or closed. */
export function createDialog(
  name: string,
  label: string,
  changed: (open: boolean) => void = () => {},
): Dialog {
  const element = h("dialog", {
    class: `cw-dialog cw-${name}`,
    "aria-label": label,
    "data-testid": name,
    on: {
      close: () => changed(false),
      pointerdown: ({ target }) => {
        if (target === element) element.close();
      },
    },
  });
  const close = h(
    "button",
    { class: "cw-button", type: "button", on: { click: () => element.close() } },
    "Close",
  );
  return {
    element,
    close,
    isOpen: () => element.open,
    toggle(open = !element.open) {
      if (open === element.open) return;
      if (!open) return element.close();
      element.showModal();
      // The focus would scroll to the button: a dialog is read from its beginning.
      close.focus({ preventScroll: true });
      element.firstElementChild?.scrollIntoView?.({ block: "nearest" });
      changed(true);
    },
  };
}
