import canvaswidget as cw
import solara

video = cw.demo.video()
pixel = solara.reactive(None)


@solara.component
def Page():
    cw.CanvasWidget.element(model=video, time=3, on_pixel=pixel.set)
    solara.Text(f"w.pixel = {pixel.value}")
