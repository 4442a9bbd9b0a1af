"""Two architectures of one picture beside each other in a notebook: matched neurons, paired bars, both pictures."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.page import TIMEOUT, NotebookPage, pixels

CELLS = [
    "import canvaswidget as cw, numpy as np, torch",
    "torch.manual_seed(0)\n"
    "ffn = cw.demo.image()\n"
    "siren = cw.fit(cw.models.SIREN(hidden=24, size=ffn.size), ffn.truth[0], steps=20, progress=False).inr\n"
    "runs = cw.Runs({'FFN': ffn, 'SIREN': siren}, rule='gated')\n"
    "w = cw.CanvasWidget(runs, pixel=(60, 90), opacity=0.0, faithfulness=False, compare='SIREN')\nw",
]
FRAME = "np.round(np.clip(runs[{!r}].frame(), 0, 1) * 255).astype(np.uint8)"

# The counterpart of the selected neuron, and of the bars of its layer, by the package's own functions.
MATCH = """
_names = [runs[k].layers.find(w.layer).name for k in runs]
_vectors = [cw.analysis.vectors(runs[k], name) for k, name in zip(runs, _names)]
_match = cw.analysis.match(*_vectors)
_pairs = {a: (b, float(r)) for (a, b), r in zip(_match.pairs, _match.likeness)}
_other = _pairs.get(w.neuron)
_column = runs['SIREN'].pixel(*w.pixel, layers=[_names[1]])[_names[1]]
"""


def test_neurons_are_matched_by_their_maps(notebook: NotebookPage) -> None:
    view, second = notebook.widget, notebook.widget.part("compared")
    expect(second).to_have_attribute("data-run", "SIREN", timeout=TIMEOUT)
    for canvas, run in ((view.frame, "FFN"), (second, "SIREN")):
        expected = notebook.ask_array(FRAME.format(run))
        assert np.abs(pixels(canvas)[..., :3].astype(int) - expected).max() <= 1
    # A neuron that has a counterpart: the layer of the SIREN has fewer.
    notebook.execute(MATCH)
    notebook.execute("w.neuron = next(iter(_pairs))")
    notebook.execute("_other = _pairs[w.neuron]")
    layer, neuron, correlation = notebook.ask("(_names[1], _other[0], _other[1])")
    expect(view.part("compared-said")).to_contain_text(f"↔ {neuron}, correlation", timeout=TIMEOUT)
    said = view.part("compared-said").text_content() or ""
    assert float(said.split("correlation ")[1].replace("−", "-")) == pytest.approx(correlation, abs=6e-4)
    expect(second).to_have_attribute("data-selection", f"{layer}/{neuron}", timeout=TIMEOUT)
    # Its map, on the scale of both, and the bars of the layer's neurons with those of their counterparts.
    notebook.execute("w.source = 'off'")
    expect(second).to_have_attribute("data-run", "SIREN")
    largest = notebook.ask(
        "max(float(abs(runs['FFN'].map(w.layer, w.neuron)).max()),"
        " float(abs(runs['SIREN'].map(_names[1], _other[0])).max()))"
    )
    high = view.part("colourbar").locator(".cw-bar-high")

    def shown() -> bool:
        return float(high.text_content() or "nan") == pytest.approx(largest, rel=0.02)

    notebook.wait_for(shown, True, "the end of the scale that both maps share")
    pairs = dict(notebook.ask("[[a, b[0]] for a, b in _pairs.items()]"))
    column = notebook.ask("_column.tolist()")
    bars = view.root.locator(f'.cw-bar:not([hidden])[data-layer="{notebook.ask("w.layer")}"]')
    matched = bars.and_(view.root.locator("[data-other]"))
    wanted = [
        bar for bar in bars.evaluate_all("all => all.map(one => Number(one.dataset.neuron))") if bar in pairs
    ]
    expect(matched).to_have_count(len(wanted), timeout=TIMEOUT)
    for own, value in matched.evaluate_all(
        "all => all.map(one => [Number(one.dataset.neuron), Number(one.dataset.other)])"
    ):
        assert value == pytest.approx(column[pairs[own]], rel=1e-3, abs=1e-6)


def test_the_menu_goes_from_one_to_the_other(notebook: NotebookPage) -> None:
    view = notebook.widget
    layer = notebook.ask("w.layer")
    view.part("run-menu").select_option("SIREN")
    view.wait_frame(run="SIREN")
    view.wait_settled()
    assert notebook.ask("[w.run, w.compare]") == ["SIREN", "SIREN"]
    expected = notebook.ask_array(FRAME.format("SIREN"))
    assert np.abs(pixels(view.frame)[..., :3].astype(int) - expected).max() <= 1
    assert notebook.ask("w.layer in [one.name for one in runs['SIREN'].traced_layers]")
    view.part("run-menu").select_option("FFN")
    view.wait_frame(run="FFN")
    notebook.wait_for(lambda: notebook.ask("w.run"), "FFN", "the run")
    assert notebook.ask("w.layer") == layer
