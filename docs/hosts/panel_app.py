import canvaswidget as cw
import panel as pn

pn.extension("ipywidgets")
w = cw.CanvasWidget(cw.demo.video(), time=3)
said = pn.pane.Str("w.pixel = None")
w.observe(lambda change: said.param.update(object=f"w.pixel = {change.new}"), "pixel")
pn.Column(pn.pane.IPyWidget(w, sizing_mode="stretch_width"), said, sizing_mode="stretch_width").servable()
