"""Decoders from a frame's time or embedding to an image: every way to enlarge, to normalise, to attend."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

import canvaswidget as cw
from canvaswidget.models import HNeRVDecoder, NeRV
from tests.zoo.kind import Kind, of_frames


class Decoder(nn.Module):
    """A stem on a 1x1 grid, blocks between, a head."""

    def __init__(self, channels: int, block: nn.Module, n_out: int, head: int = 3) -> None:
        super().__init__()
        self.stem = nn.Linear(4, channels * 6)
        self.block = block
        self.head = nn.Conv2d(n_out, 3, head, padding=head // 2)
        self.channels = channels

    def encoded(self, t: torch.Tensor) -> torch.Tensor:
        phases = torch.stack([t * 3.1, t * 7.7], -1)
        return torch.cat([phases.sin(), phases.cos()], -1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = F.gelu(self.stem(self.encoded(t))).view(1, self.channels, 2, 3)
        return torch.sigmoid(self.head(self.block(x)))


class PermutedStem(Decoder):
    """The stem's channels come last before they are put first."""

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = F.gelu(self.stem(self.encoded(t))).view(1, 2, 3, self.channels).permute(0, 3, 1, 2)
        return self.head(self.block(x))


class Upsample(nn.Module):
    """Interpolation, then a convolution."""

    def __init__(self, channels: int, mode: str) -> None:
        super().__init__()
        self.conv, self.mode = nn.Conv2d(channels, channels, 3, padding=1), mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        corners = None if self.mode == "nearest" else False
        return F.gelu(self.conv(F.interpolate(x, scale_factor=2, mode=self.mode, align_corners=corners)))


class Strided(nn.Module):
    """Down by a strided convolution and up again, with the input joined to it (a U)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels + 1, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(channels + 1, channels, (2, 3), stride=2, padding=(0, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.interpolate(x, scale_factor=2)
        up = self.up(F.silu(self.down(x)))
        return torch.cat([F.pad(up, (0, 1)), x], 1)


class Grouped(nn.Module):
    """Grouped and depthwise convolutions, dilated and padded by reflection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1, groups=2)
        self.deep = nn.Conv2d(4 * channels, 4 * channels, 3, padding=2, dilation=2, groups=4 * channels)
        self.up = nn.ConvTranspose2d(4 * channels, 2 * channels, 2, stride=2, groups=2)
        self.reflected = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, padding_mode="reflect")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([x, -x], 1)
        x = F.gelu(self.up(F.gelu(self.deep(torch.relu(self.grouped(x))))))
        return torch.tanh(self.reflected(x))


class TransposedOtherwise(nn.Module):
    """Transposed convolutions over rows, and over volumes of groups of channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rows = nn.ConvTranspose1d(channels, channels, 3, padding=1)
        self.volumes = nn.ConvTranspose3d(2 * channels, 2 * channels, (1, 2, 2), stride=(1, 2, 2), groups=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = torch.tanh(self.rows(x.flatten(2))).view_as(x)
        return self.volumes(torch.cat([x, rows], 1)[:, :, None])[:, :, 0]


class Modulation(nn.Module):
    """Instance norm whose scale and shift a small network makes of the time (E-NeRV)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.InstanceNorm2d(channels, affine=False)
        self.style = nn.Sequential(nn.Linear(1, 5), nn.GELU(), nn.Linear(5, 2 * channels))
        self.last = nn.Conv2d(channels, 3, 1)
        self.grid = nn.Parameter(torch.randn(1, channels, 4, 5))

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.first(self.grid))
        gamma, beta = self.style(t).chunk(2, -1)
        x = torch.addcmul(beta[:, None, None], x, 1 + gamma[:, None, None])
        return self.last(F.gelu(x))


class ConvNext(nn.Module):
    """Depthwise 7x7, layer norm, two linear layers, a learned scale, and the input added (HiNeRV)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.wide, self.narrow = nn.Linear(channels, 3 * channels), nn.Linear(3 * channels, channels)
        self.gamma = nn.Parameter(torch.randn(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.depthwise(x).permute(0, 2, 3, 1)
        y = self.narrow(F.gelu(self.wide(self.norm(y))))
        return x + (self.gamma * y).permute(0, 3, 1, 2)


class Attention(nn.Module):
    """Softmax attention over the positions, by hand, by torch's function or its module."""

    def __init__(self, channels: int, how: str) -> None:
        super().__init__()
        self.qkv, self.out, self.how = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels), how
        if how == "module":
            self.qkv = self.out = None
            self.heads = nn.MultiheadAttention(channels, 1, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        if self.how == "module":
            attended, _ = self.heads(tokens, tokens, tokens, need_weights=False)
        else:
            assert self.qkv is not None
            assert self.out is not None
            q, k, v = self.qkv(tokens).chunk(3, -1)
            if self.how == "hand":
                weights = torch.softmax(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, -1)
                attended = self.out(weights @ v)
            else:
                attended = self.out(F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0])
        return (tokens + attended).transpose(1, 2).reshape(x.shape)


def _shuffled(rng: random.Random) -> cw.INR:
    channels, kernel = rng.randint(1, 4), rng.choice([1, 3, 5, 7])
    block = nn.Sequential(nn.Conv2d(channels, 8, kernel, padding=kernel // 2), nn.PixelShuffle(2), nn.GELU())
    return of_frames(Decoder(channels, block, 2, head=rng.choice([1, 3, 5])))


def _transposed(rng: random.Random) -> cw.INR:
    channels = rng.randint(1, 4)
    block = nn.Sequential(
        nn.ConvTranspose2d(channels, 3, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1),
        nn.SiLU(),
    )
    return of_frames(Decoder(channels, block, 2))


def _upsampled(mode: str) -> Callable[[random.Random], cw.INR]:
    def build(rng: random.Random) -> cw.INR:
        channels = rng.randint(1, 4)
        return of_frames(Decoder(channels, Upsample(channels, mode), channels))

    return build


def _normed(norm: Callable[[int], nn.Module]) -> Callable[[random.Random], cw.INR]:
    def build(rng: random.Random) -> cw.INR:
        channels = 2 * rng.randint(1, 3)
        block = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), norm(channels), nn.GELU())
        for tensor in (*block[1].parameters(), *block[1].buffers()):
            if tensor.is_floating_point():
                nn.init.uniform_(tensor, 0.5, 2.0)
        return of_frames(Decoder(channels, block, channels))

    return build


def _attention(how: str) -> Callable[[random.Random], cw.INR]:
    def build(rng: random.Random) -> cw.INR:
        channels = rng.randint(2, 4)
        return of_frames(Decoder(channels, Attention(channels, how), channels))

    return build


def _hnerv(rng: random.Random) -> cw.INR:
    decoder = HNeRVDecoder(in_channels=4, ks="0_1_3", fc_dim=6, dec_strds=(2, 2), lower_width=3)
    return cw.INR.from_embeddings(decoder.double(), torch.randn(2, 4, 2, 3, dtype=torch.float64))


def _decoder(make: Callable[[int], nn.Module], n_out: int = 1, base: type[Decoder] = Decoder) -> Callable:
    def build(rng: random.Random) -> cw.INR:
        channels = rng.randint(2, 4)
        return of_frames(base(channels, make(channels), n_out * channels))

    return build


KINDS: dict[str, Kind] = {
    "pixel_shuffle": Kind(_shuffled, ("stem", "block.0", "head")),
    "transposed_convolution": Kind(_transposed, ("stem", "block.0", "block.2", "head")),
    "bilinear": Kind(_upsampled("bilinear"), ("stem", "block.conv", "head")),
    "nearest": Kind(_upsampled("nearest"), ("stem", "block.conv", "head")),
    "bicubic": Kind(_upsampled("bicubic"), ("stem", "block.conv", "head")),
    "strided_convolution": Kind(_decoder(Strided, 2), ("stem", "block.down", "block.up", "head")),
    "grouped_convolution": Kind(
        _decoder(Grouped, 2), ("stem", "block.grouped", "block.deep", "block.up", "block.reflected", "head")
    ),
    "transposed_otherwise": Kind(
        _decoder(TransposedOtherwise, 2), ("stem", "block.rows", "block.volumes", "head")
    ),
    "permuted_stem": Kind(_decoder(lambda n: nn.Identity(), 1, PermutedStem), ("stem", "head")),
    "instance_norm": Kind(_normed(lambda n: nn.InstanceNorm2d(n, affine=True)), ("stem", "block.0", "head")),
    "batch_norm": Kind(_normed(nn.BatchNorm2d), ("stem", "block.0", "head")),
    "batch_norm_of_the_frame": Kind(
        _normed(lambda n: nn.BatchNorm2d(n, track_running_stats=False)), ("stem", "block.0", "head")
    ),
    "group_norm": Kind(_normed(lambda n: nn.GroupNorm(2, n)), ("stem", "block.0", "head")),
    "modulated_norm": Kind(
        lambda rng: of_frames(Modulation(rng.randint(2, 4))), ("first", "style.0", "style.2", "last")
    ),
    "convnext": Kind(_decoder(ConvNext), ("stem", "block.depthwise", "block.wide", "block.narrow", "head")),
    "attention_by_hand": Kind(_attention("hand"), ("stem", "block.qkv", "block.out", "head")),
    "attention_by_function": Kind(_attention("function"), ("stem", "block.qkv", "block.out", "head")),
    "attention_by_module": Kind(
        _attention("module"), ("stem", "block.heads", "block.heads.out_proj", "head")
    ),
    "nerv": Kind(
        lambda rng: cw.as_inr(
            NeRV(
                embed="pe_1.25_4", fc_dim=6, fc_hw="2_3", dec_strds=(2, 2), lower_width=4, n_frames=3
            ).double()
        ),
        (),
    ),
    "hnerv": Kind(_hnerv, ()),
}
