// The anywidget front end: `initialize` once a model, `render` once a view.
import type { AnyModel } from "@anywidget/types";
import { createSession, type Session } from "./sources/session";
import type { Traits } from "./state/traits";
import type { Model } from "./transport/model";
import { h } from "./ui/dom";
import { createWidget } from "./views/widget";

// Hosts hand each call its own wrapper of the model, so the wrapper can't lead from a view to what its model shares.
// The value of the trait `_canvas` can: every wrapper returns the same object until Python sends another.
const sessions = new WeakMap<object, Session>();

function share(model: Model, session: Session): void {
  for (const key of [model, model.get("_canvas")])
    if (typeof key === "object" && key !== null) sessions.set(key, session);
}

function find(model: Model): Session | undefined {
  const canvas = model.get("_canvas");
  return (
    sessions.get(model) ?? (typeof canvas === "object" && canvas !== null ? sessions.get(canvas) : undefined)
  );
}

function open(model: Model): { session: Session; close: () => void } {
  const session = createSession(model);
  const again = () => share(model, session);
  again();
  model.on("change:_canvas", again);
  return {
    session,
    close() {
      model.off("change:_canvas", again);
      session.dispose();
    },
  };
}

/** As long as this view is there, the picture below it is not: that is for where no kernel runs. */
function hiding(picture: string): HTMLStyleElement {
  return h(
    "style",
    {},
    `.${picture}, .jp-OutputArea-child:has(> * > .${picture}) { display: none !important; }`,
  );
}

function initialize({ model }: { model: AnyModel<Traits> }): () => void {
  return open(model as unknown as Model).close;
}

function render({ model, el }: { model: AnyModel<Traits>; el: HTMLElement }): () => void {
  const known = find(model as unknown as Model);
  const own = known ? null : open(model as unknown as Model);
  const session = known ?? (own as { session: Session }).session;
  const ending = new AbortController();
  session.views.value += 1;
  el.append(hiding(String(model.get("_picture"))), createWidget(session, ending.signal));
  return () => {
    ending.abort();
    session.views.value -= 1;
    el.replaceChildren();
    own?.close();
  };
}

export default { initialize, render };
