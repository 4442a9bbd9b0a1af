"""Put other weights into a module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

MOST_NAMES = 3  # that a message lists


@torch.no_grad()
def load_checked(module: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Copy weights into a module, all or none.

    Raises
    ------
    ValueError
        They are not the module's: names are missing or unknown, or shapes differ; the message says which.
    """
    expected = module.state_dict()
    both = [name for name in expected if name in weights]
    problems = [
        *_named("there is no {}", expected.keys() - weights.keys()),
        *_named("the module has no {}", weights.keys() - expected.keys()),
        *[
            f"{name!r} has shape {tuple(weights[name].shape)}, the module's {tuple(expected[name].shape)}"
            for name in both
            if weights[name].shape != expected[name].shape
        ][:MOST_NAMES],
        *_named(
            "{} holds complex numbers, the module's real ones",
            [name for name in both if weights[name].is_complex() > expected[name].is_complex()],
        ),
    ]
    if problems:
        raise ValueError(f"weights: don't fit {type(module).__name__}: {'; '.join(problems)}")
    module.load_state_dict(dict(weights))


def _named(words: str, names: Iterable[str]) -> list[str]:
    found = sorted(names)
    more = f" and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else ""
    return [words.format(", ".join(map(repr, found[:MOST_NAMES])) + more)] if found else []
