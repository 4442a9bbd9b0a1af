// What sources need of a client, and a client for the sources of a second run.
import type { RequestClient, View } from "./client";

/** What a source needs of a client. */
export type Requests = Pick<RequestClient, "ask" | "drop" | "waiting" | "activity">;

/** The same client for the sources of a second run: none of their requests replaces one of the first run's. */
export function besides(client: Requests): Requests {
  const of = (view: View) => `compared ${view}` as View;
  return {
    activity: client.activity,
    ask: (view, body, handlers, haste) => client.ask(of(view), body, handlers, haste),
    drop: (view) => client.drop(of(view)),
    waiting: (view) => client.waiting(of(view)),
  };
}
