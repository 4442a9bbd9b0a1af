// The recipe goes to the clipboard; where there is none, it is shown and selected.
import { afterEach, describe, expect, it, vi } from "vitest";
import { useView } from "./view";

const view = useView();
const given = Object.getOwnPropertyDescriptor(navigator, "clipboard");
const clipboard = (writeText: ((text: string) => Promise<void>) | null) =>
  Object.defineProperty(navigator, "clipboard", { configurable: true, value: writeText && { writeText } });

afterEach(() => {
  if (given) Object.defineProperty(navigator, "clipboard", given);
});

async function ask() {
  view.open();
  await view.settle();
  view.page.find("[data-testid=copy-recipe]").click();
  await view.settle();
  await vi.advanceTimersByTimeAsync(10);
}

describe("the recipe", () => {
  it("is copied, and the status line says so", async () => {
    const copied: string[] = [];
    clipboard(async (text) => void copied.push(text));
    await ask();
    expect(copied).toEqual(["w = cw.CanvasWidget(model)\n"]);
    expect(view.page.find("[data-testid=status]").textContent).toContain("copied");
  });

  it.each([
    ["refuses", () => Promise.reject(new Error("not allowed"))],
    ["is absent", null],
  ])("is shown where the clipboard %s", async (_, writeText) => {
    clipboard(writeText);
    await ask();
    expect(view.page.find<HTMLTextAreaElement>("[data-testid=recipe-text]").value).toContain("CanvasWidget");
    view.page.find("[data-testid=recipe] button").click();
    expect(view.page.el.querySelector("[data-testid=recipe]")).toBeNull();
  });

  it("that does not come is told", async () => {
    view.open();
    view.page.find("[data-testid=copy-recipe]").click();
    const { id } = view.model.last("recipe");
    view.model.say({ type: "error", id, message: "the widget is closed" });
    await vi.advanceTimersByTimeAsync(10);
    expect(view.page.find("[data-testid=status]").textContent).toBe("the widget is closed");
  });
});
