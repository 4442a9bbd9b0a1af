// Which colour contributions are measured for: the sum, one colour, or all magnitudes. A rule may know only the sum.
import { currentLayer } from "../state/actions";
import { savedOf } from "../state/saved";
import type { Channel } from "../transport/messages";
import { attribute, h, uniqueId, write } from "../ui/dom";
import { segmented } from "../ui/panel";
import type { View } from "../ui/view";

const CHOICES = [
  { value: "sum", text: "sum", title: "Contributions to all colours, added with their signs" },
  { value: "red", text: "R", title: "Contributions to red" },
  { value: "green", text: "G", title: "Contributions to green" },
  { value: "blue", text: "B", title: "Contributions to blue" },
  { value: "abs", text: "abs", title: "Contributions to each colour, their magnitudes added" },
] as const satisfies { value: Channel; text: string; title: string }[];

export function createChannelControl({ session: { store }, effect }: Pick<View, "session" | "effect">) {
  const choices = segmented("Colours that are contributed to", CHOICES, (channel) => store.set({ channel }));
  attribute(choices.element, "data-testid", "channel");
  const reason = h("p", { class: "cw-muted cw-style-note", id: uniqueId(), "data-testid": "no-colours" });
  attribute(choices.element, "aria-describedby", reason.id);
  effect(() => {
    const why = currentLayer(store)?.why_no_colours ?? "";
    choices.press(why ? "sum" : store.channel.value);
    choices.element.querySelectorAll("button").forEach((button, i) => {
      button.disabled = why !== "" && button.dataset.value !== "sum";
      attribute(button, "title", button.disabled ? why : CHOICES[i]?.title);
    });
    reason.hidden = why === "" || savedOf(store._canvas.value) !== null;
    write(reason, why && `No single colours: ${why}`);
  });
  return { element: choices.element, reason };
}
