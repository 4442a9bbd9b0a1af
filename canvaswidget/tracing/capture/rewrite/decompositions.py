"""What `torch.export` writes ops as while it records: attention, sorting, pooling and others in simpler ops."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from canvaswidget.tracing.capture.ops import aten


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Softmax attention as the products it is made of; there is no dropout in evaluation."""
    if enable_gqa:
        key, value = (one.repeat_interleave(query.shape[-3] // one.shape[-3], -3) for one in (key, value))
    scores = (query @ key.mT) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        boolean = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, float("-inf")) if boolean else scores + attn_mask
    return torch.softmax(scores, -1) @ value


def _top(
    x: torch.Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    places = x.argsort(dim, descending=largest).narrow(dim, 0, k)
    return x.gather(dim, places), places


def _max_pool(
    x: torch.Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    is_row: bool = False,
) -> torch.Tensor:
    """The values at the places that torch finds the largest; a row of pixels is an image of height 1."""

    def in_both(size: Any, across: int) -> list[int]:
        along = [size] if isinstance(size, int) else list(size)
        return [across, *along] if is_row else along

    _, places = aten.max_pool2d_with_indices(
        x[..., None, :] if is_row else x,
        in_both(kernel_size, 1),
        in_both(stride or kernel_size, 1),
        in_both(padding, 0),
        in_both(dilation, 1),
        ceil_mode,
    )
    values = x if is_row else x.flatten(-2)
    pooled = values.gather(-1, places.flatten(-2))
    return pooled if is_row else pooled.unflatten(-1, places.shape[-2:])


def _sorted(x: torch.Tensor, dim: int = -1, descending: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    places = x.argsort(dim, descending=descending)
    return x.gather(dim, places), places


def _addmm(
    added: torch.Tensor, first: torch.Tensor, second: torch.Tensor, beta: Any = 1, alpha: Any = 1
) -> torch.Tensor:
    """``torch.addmm`` and its kin as the sum that they are."""
    return _plus(added, first @ second, beta, alpha)


def _addbmm(
    added: torch.Tensor, first: torch.Tensor, second: torch.Tensor, beta: Any = 1, alpha: Any = 1
) -> torch.Tensor:
    return _plus(added, (first @ second).sum(0), beta, alpha)


def _plus(added: torch.Tensor, product: torch.Tensor, beta: Any, alpha: Any) -> torch.Tensor:
    return (product if alpha == 1 else alpha * product) + (added if beta == 1 else beta * added)


def _between(x: torch.Tensor, low: Any = None, high: Any = None) -> torch.Tensor:
    """A clamp to limits that are tensors."""
    x = x if low is None else torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def _bilinear(
    first: torch.Tensor, second: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    made = torch.einsum("...i,oij,...j->...o", first, weight, second)
    return made if bias is None else made + bias


def _masked_fill(x: torch.Tensor, mask: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return torch.where(mask, value, x)


def _masked_scatter(x: torch.Tensor, mask: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """The n-th place of the mask gets the n-th value."""
    x, mask = torch.broadcast_tensors(x, mask)
    places = (mask.flatten().cumsum(0) - 1).clamp_min(0)
    return torch.where(mask, source.flatten()[places].reshape(x.shape), x)


def _take(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return x.flatten()[places]


DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    aten.masked_fill.Tensor: _masked_fill,
    aten.masked_scatter.default: _masked_scatter,
    aten.take.default: _take,
    aten.scaled_dot_product_attention.default: _attention,
    aten.topk.default: _top,
    aten.sort.default: _sorted,
    aten.max_pool1d.default: partial(_max_pool, is_row=True),
    aten.max_pool2d.default: _max_pool,
    aten.addmm.default: _addmm,
    aten.baddbmm.default: _addmm,
    aten.addmv.default: _addmm,
    aten.addbmm.default: _addbmm,
    aten.clamp.Tensor: _between,
    aten.bilinear.default: _bilinear,
}
