"""The recipe of a view, copied from the page of a real notebook and run there."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage

CELLS = [
    "import canvaswidget as cw\nw = cw.CanvasWidget(cw.demo.image(), maps='signed', region=((4, 8), (30, 40)))\nw"
]
SAME = "all(getattr(w, n) == getattr(_w, n) for n in w.VIEW)"


def test_a_copied_recipe_makes_the_same_view(notebook: NotebookPage) -> None:
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    view = notebook.widget
    view.click_pixel(20, 30)
    notebook.wait_for(lambda: notebook.ask("_w.pixel"), [20, 30], "the pixel")
    view.part("export").locator("summary").click()
    view.part("copy-recipe").click()
    expect(view.part("status")).to_contain_text("copied the Python", timeout=TIMEOUT)
    text = notebook.page.evaluate("() => navigator.clipboard.readText()")
    assert "pixel=(20, 30)" in text
    notebook.execute(text.removesuffix("w\n"))
    assert notebook.ask(SAME)


def test_without_a_clipboard_it_is_shown_and_selected(notebook: NotebookPage) -> None:
    without = "() => Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})"
    notebook.page.evaluate(without)
    view = notebook.widget
    view.part("export").locator("summary").click()
    view.part("copy-recipe").click()
    text = view.part("recipe-text")
    expect(text).to_be_focused(timeout=TIMEOUT)
    chosen = text.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)")
    assert chosen == notebook.ask("_w.recipe()")
    notebook.page.keyboard.press("Escape")
    expect(text).to_have_count(0)
    assert notebook.ask("_w.neuron is not None")  # the key was the dialog's
    notebook.page.evaluate("() => delete navigator.clipboard")
