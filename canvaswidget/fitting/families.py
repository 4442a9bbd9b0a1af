"""A new model for a signal, by the name of its family or by a function of the user's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import nn

from canvaswidget import media
from canvaswidget.inr import INR
from canvaswidget.inr.factories import is_factory, made
from canvaswidget.models import FFN, SIREN, NeRV

FAMILIES = ("ffn", "siren", "nerv")
STRIDES = ((4, 2, 2), (2, 2, 2), (2, 2), (2,))


def model_for(name: str, clip: media.Clip, options: Mapping[str, Any] | None = None) -> nn.Module | INR:
    """A model that can be fitted to the clip; its weights are drawn from torch's global random state.

    Parameters
    ----------
    name : "ffn", "siren", "nerv" or "module:function"
    clip : Clip
        Whose size and length the model gets.
    options : mapping, optional
        Further keywords of the model's class, or all of the function's.

    Raises
    ------
    ValueError
        There is no such family, or it can't make this size.
    """
    if name == "ffn":
        return FFN(**{"size": clip.size, **(options or {})})
    if name == "siren":
        return SIREN(**{"size": clip.size, **(options or {})})
    if name == "nerv":
        return NeRV(**{**_nerv_options(clip), **(options or {})})
    if is_factory(name):
        return made(name, options)
    raise ValueError(f"model={name!r}: expected {', '.join(FAMILIES)} or module:function")


def _nerv_options(clip: media.Clip) -> dict[str, Any]:
    """Of a NeRV of three blocks where the size allows it, else of fewer."""
    height, width = clip.size
    for strides in STRIDES:
        factor = math.prod(strides)
        if height % factor == 0 and width % factor == 0 and min(height, width) >= 4 * factor:
            return {
                "embed": "pe_1.25_30",
                "fc_dim": 24,
                "fc_hw": f"{height // factor}_{width // factor}",
                "dec_strds": strides,
                "reduce": 1.2,
                "n_frames": clip.n_frames,
            }
    near = (max(8, round(height / 8) * 8), max(8, round(width / 8) * 8))
    raise ValueError(
        f"model='nerv': makes frames whose height and width are even, and at least 8, not {height}x{width}; choose "
        f"the size {near[0]}x{near[1]}"
    )
