"""A module that returns what a test gives it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

IMAGE = torch.rand(3, 4, 5)


class Echo(nn.Module):
    """Gives back what `make` makes of its input."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make = make

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        return self.make(*arguments, **keywords)
