export {};

// Browsers keep where the focus was when a dialog opens, and put it back.
const before = new WeakMap<HTMLDialogElement, Element | null>();
HTMLDialogElement.prototype.showModal = function () {
  before.set(this, document.activeElement);
  this.open = true;
};
const { close } = HTMLDialogElement.prototype;
HTMLDialogElement.prototype.close = function (value) {
  close.call(this, value);
  (before.get(this) as HTMLElement | null)?.focus();
};

// Nothing moves here: an animation is at its end at once.
Element.prototype.animate = () => {
  const animation = { onfinish: null as (() => void) | null, cancel() {} };
  queueMicrotask(() => animation.onfinish?.());
  return animation as unknown as Animation;
};
