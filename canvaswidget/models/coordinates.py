"""Where the pixels of an image sit in the input space of a coordinate network."""

from __future__ import annotations

import torch

from canvaswidget.arguments import checked

CONVENTIONS = ("each", "longest")


@checked
def coordinate_grid(
    size: tuple[int, int],
    convention: str = "each",
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Coordinates ``(y, x)`` of every pixel, in reading order.

    Parameters
    ----------
    size : (height, width)
    convention : {"each", "longest"}
        ``"each"`` stretches both axes over [-1, 1] (SIREN, COIN). ``"longest"`` divides both indices by
        ``max(height, width) - 1`` before mapping [0, 1] to [-1, 1], so that pixels are square and the
        shorter axis ends early (FFN in the XINC release).

    Returns
    -------
    torch.Tensor
        ``(height * width, 2)``. An axis with one pixel sits at -1.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"convention={convention!r}: expected one of {', '.join(CONVENTIONS)}")
    longest = max(size)
    axes = []
    for n in size:
        span = max((longest if convention == "longest" else n) - 1, 1)
        axes.append(torch.arange(n, device=device, dtype=dtype) / span * 2 - 1)
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 2)
