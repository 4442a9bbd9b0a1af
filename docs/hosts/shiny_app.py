import canvaswidget as cw
from shiny.express import render
from shinywidgets import reactive_read, render_widget


@render_widget(height="auto", fill=False)
def canvas():
    return cw.CanvasWidget(cw.demo.video(), time=3)


@render.text
def said():
    return f"w.pixel = {reactive_read(canvas.widget, 'pixel')}"
