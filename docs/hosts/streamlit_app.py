import tempfile
from pathlib import Path

import canvaswidget as cw
import streamlit as st

st.set_page_config(layout="wide")


@st.cache_resource
def saved_page():
    w = cw.CanvasWidget(cw.demo.video(), time=3)
    path = Path(tempfile.mkdtemp()) / "canvas.html"
    w.save(path, frames=[3], neurons=4)
    w.close()
    return path


st.iframe(saved_page(), height=1000)
