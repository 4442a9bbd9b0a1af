"""Make torch's first vectorised function calls safe.

MKL chooses the kernel of each vector function at its first call. When that call comes from several threads at once,
one of them can run a low-accuracy kernel on its share: errors of 1e-4 in a sine, once, never again
(https://github.com/pytorch/pytorch/issues/188792). A call on one element, before any other, settles the choice.
"""

from __future__ import annotations

import torch

_FUNCTIONS = (
    *(
        torch.acos,
        torch.asin,
        torch.atan,
        torch.cos,
        torch.cosh,
        torch.erf,
        torch.erfc,
        torch.exp,
        torch.expm1,
    ),
    *(
        torch.log,
        torch.log10,
        torch.log1p,
        torch.log2,
        torch.sin,
        torch.sinh,
        torch.sqrt,
        torch.tan,
        torch.tanh,
    ),
    *(torch.nn.functional.gelu, torch.sigmoid),
)


def settle() -> None:
    """Call every vector function once, on one element."""
    for dtype in (torch.float32, torch.float64):
        one = torch.full((1,), 0.5, dtype=dtype, device="cpu")
        for function in _FUNCTIONS:
            function(one)
