"""Reference INRs and safe loading of their weights."""

from canvaswidget.mkl_first_call import settle
from canvaswidget.models.coordinates import coordinate_grid
from canvaswidget.models.ffn import FFN
from canvaswidget.models.nerv import HNeRVDecoder, NeRV
from canvaswidget.models.pickles import UnsafeCheckpointError
from canvaswidget.models.siren import SIREN
from canvaswidget.models.weights import load_model, load_weights, save_model

__all__ = [
    "FFN",
    "SIREN",
    "HNeRVDecoder",
    "NeRV",
    "UnsafeCheckpointError",
    "coordinate_grid",
    "load_model",
    "load_weights",
    "save_model",
]

settle()
