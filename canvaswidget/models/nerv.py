"""NeRV and the HNeRV decoder: convolutional video networks.

NeRV: Chen et al., NeurIPS 2021. HNeRV: Chen et al., CVPR 2023. Arguments and parameter names are those of the
public HNeRV repository, which holds both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from canvaswidget.arguments import checked

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}


class PositionalEncoding(nn.Module):
    """A time ``t`` as ``cat(sin(t b), cos(t b))``, ``b = pi base^(0 .. levels - 1)`` (NeRV, section 3.1)."""

    bases: torch.Tensor

    def __init__(self, base: float, levels: int) -> None:
        super().__init__()
        self.register_buffer("bases", base ** torch.arange(levels) * math.pi, persistent=False)

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        angles = time[:, None] * self.bases
        return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)[:, :, None, None]


class DownConv(nn.Module):
    """The stem's convolution; the repository's name for it."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.downconv = nn.Conv2d(in_channels, out_channels, kernel_size + 1, 1, math.ceil(kernel_size / 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.downconv(x)


class UpConv(nn.Module):
    """A convolution to ``out_channels * stride**2`` channels, then a pixel shuffle."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.upconv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels * stride**2, kernel_size, 1, (kernel_size - 1) // 2),
            nn.PixelShuffle(stride) if stride > 1 else nn.Identity(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.upconv(x)


class Block(nn.Module):
    """A convolution and its activation."""

    def __init__(self, conv: nn.Module, activation: str) -> None:
        super().__init__()
        self.conv = conv
        self.act = ACTIVATIONS[activation]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.conv(x))


def _numbers(name: str, text: str, count: int, expected: str) -> list[int]:
    """Whole numbers that a text has with ``_`` between them."""
    parts = text.split("_")
    if len(parts) != count or not all(re.fullmatch(r"\d{1,5}", part) for part in parts):
        raise ValueError(f"{name}={text!r}: expected {expected}")
    return [int(part) for part in parts]


class _Decoder(nn.Module):
    """What NeRV and HNeRV share: a stem, up-sampling blocks and a head that makes colours."""

    def __init__(
        self,
        in_channels: int,
        stem_channels: int,
        fc_dim: int,
        ks: str,
        dec_strds: Sequence[int],
        reduce: float,
        lower_width: int,
        act: str,
        out_bias: float | str,
    ) -> None:
        super().__init__()
        if act not in ACTIVATIONS:
            raise ValueError(f"act={act!r}: expected one of {', '.join(ACTIVATIONS)}")
        if not isinstance(out_bias, int | float) and out_bias not in ("tanh", "sigmoid"):
            raise ValueError(f"out_bias={out_bias!r}: expected a number, 'tanh' or 'sigmoid'")
        _, smallest, largest = _numbers("ks", ks, 3, "'0_FIRST_LARGEST', such as '0_3_3'")
        if reduce != -1 and reduce <= 0:
            raise ValueError(f"reduce={reduce!r}: expected a number above 0, or -1")
        blocks: list[nn.Module] = [Block(DownConv(in_channels, stem_channels, 0), act)]
        channels = fc_dim
        for i, stride in enumerate(dec_strds):
            narrower = max(round(channels / (math.sqrt(stride) if reduce == -1 else reduce)), lower_width)
            blocks.append(Block(UpConv(channels, narrower, min(smallest + 2 * i, largest), stride), act))
            channels = narrower
        self.decoder = nn.ModuleList(blocks)
        self.head_layer = nn.Conv2d(channels, 3, 3, 1, 1)
        self.out_bias = out_bias

    def decode(self, grid: torch.Tensor) -> torch.Tensor:
        for block in list(self.decoder)[1:]:
            grid = block(grid)
        image = self.head_layer(grid)
        if self.out_bias == "tanh":
            return torch.tanh(image) * 0.5 + 0.5
        if self.out_bias == "sigmoid":
            return torch.sigmoid(image)
        return image + self.out_bias


class NeRV(_Decoder):
    """Frame times ``(n,)`` in [0, 1) to frames ``(n, 3, height, width)``.

    Parameters
    ----------
    embed : str
        Positional encoding ``"pe_{base}_{levels}"``.
    ks : str
        Kernel sizes ``"0_{first}_{largest}"``: block ``i`` uses ``min(first + 2 i, largest)``.
    fc_dim : int
        Channels of the first grid.
    fc_hw : str
        Size ``"{height}_{width}"`` of the first grid.
    dec_strds : sequence of int
        Up-sampling factor of each block.
    reduce : float
        Channels shrink by this factor a block; -1 means the square root of the block's stride.
    lower_width : int
        Fewest channels of a block.
    act : str
        Activation: one of ``ACTIVATIONS``.
    out_bias : float or {"tanh", "sigmoid"}
        Added to the head's output, or what squashes it.
    n_frames : int, optional
        Number of frames it encodes, where it is known.
    """

    @checked
    def __init__(
        self,
        embed: str = "pe_1.25_80",
        ks: str = "0_3_3",
        fc_dim: int = 37,
        fc_hw: str = "8_16",
        dec_strds: Sequence[int] = (4, 2, 2),
        reduce: float = 1.2,
        lower_width: int = 6,
        act: str = "gelu",
        out_bias: float | str = 0.0,
        n_frames: int | None = None,
    ) -> None:
        found = re.fullmatch(r"pe_(\d+(?:\.\d+)?)_(\d{1,6})", embed)
        if found is None or int(found[2]) < 1:
            raise ValueError(f"embed={embed!r}: expected 'pe_BASE_LEVELS', such as 'pe_1.25_80'")
        base, levels = found[1], found[2]
        height, width = _numbers("fc_hw", fc_hw, 2, "'HEIGHT_WIDTH', such as '8_16'")
        super().__init__(
            2 * int(levels),
            fc_dim * height * width,
            fc_dim,
            ks,
            dec_strds,
            reduce,
            lower_width,
            act,
            out_bias,
        )
        self.config: dict[str, Any] = {
            "embed": embed,
            "ks": ks,
            "fc_dim": fc_dim,
            "fc_hw": fc_hw,
            "dec_strds": list(dec_strds),
            "reduce": reduce,
            "lower_width": lower_width,
            "act": act,
            "out_bias": out_bias,
            "n_frames": n_frames,
        }
        self.n_frames = n_frames
        self.grid = (height, width)
        self.positional_encoding = PositionalEncoding(float(base), int(levels))

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        stem = self.decoder[0](self.positional_encoding(time))
        n, _, h, w = stem.shape
        rows, columns = self.grid
        grid = stem.view(n, -1, rows, columns, h, w).permute(0, 1, 4, 2, 5, 3)
        return self.decode(grid.reshape(n, -1, rows * h, columns * w))


class HNeRVDecoder(_Decoder):
    """Embeddings ``(n, in_channels, h, w)`` to frames ``(n, 3, height, width)``: HNeRV without its encoder.

    Parameters
    ----------
    in_channels : int
        Channels of an embedding.
    fc_dim, ks, dec_strds, reduce, lower_width, act, out_bias
        As in `NeRV`; ``ks`` and ``dec_strds`` default to those of the paper at 640x1280.
    """

    @checked
    def __init__(
        self,
        in_channels: int = 16,
        ks: str = "0_1_5",
        fc_dim: int = 68,
        dec_strds: Sequence[int] = (5, 4, 4, 2, 2),
        reduce: float = 1.2,
        lower_width: int = 12,
        act: str = "gelu",
        out_bias: float | str = "tanh",
    ) -> None:
        super().__init__(in_channels, fc_dim, fc_dim, ks, dec_strds, reduce, lower_width, act, out_bias)
        self.config: dict[str, Any] = {
            "in_channels": in_channels,
            "ks": ks,
            "fc_dim": fc_dim,
            "dec_strds": list(dec_strds),
            "reduce": reduce,
            "lower_width": lower_width,
            "act": act,
            "out_bias": out_bias,
        }

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        return self.decode(self.decoder[0](embedding))
