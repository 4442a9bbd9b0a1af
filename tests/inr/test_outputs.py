"""Which output of a module is the image, and in which layout."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from tests.inr.echo import IMAGE, Echo


@pytest.mark.parametrize(
    "laid_out",
    [
        IMAGE,
        IMAGE[None],
        IMAGE.permute(1, 2, 0),
        IMAGE.permute(1, 2, 0)[None],
        IMAGE.permute(1, 2, 0).reshape(20, 3),
        IMAGE.permute(1, 2, 0).reshape(1, 20, 3),
        [IMAGE],
        (IMAGE[None], torch.zeros(7)),
        {"rgb": IMAGE, "loss": torch.tensor(0.0)},
        [torch.zeros(9, 9), IMAGE],
    ],
    ids=lambda value: str(tuple(value.shape)) if isinstance(value, torch.Tensor) else type(value).__name__,
)
def test_output_layouts(laid_out: Any) -> None:
    inr = cw.INR(Echo(lambda _: laid_out), lambda _: torch.zeros(1), (4, 5))
    assert torch.equal(inr.render(), IMAGE)
    np.testing.assert_array_equal(inr.frame(), IMAGE.permute(1, 2, 0).numpy())


GREY = IMAGE[:1]


@pytest.mark.parametrize(
    "laid_out",
    [
        GREY,
        GREY[0],
        GREY.flatten(),
        GREY.reshape(20, 1),
        GREY.reshape(1, 20),
        GREY[None, :, None],
        GREY[..., None],
    ],
    ids=lambda value: str(tuple(value.shape)),
)
def test_one_channel_stays_one(laid_out: torch.Tensor) -> None:
    for inr in (
        cw.INR(Echo(lambda _: laid_out), lambda _: torch.zeros(1), (4, 5)),
        cw.INR(
            Echo(lambda _: {"sdf": laid_out}), lambda _: torch.zeros(1), (4, 5), output=lambda y: y["sdf"]
        ),
    ):
        assert torch.equal(inr.render(), GREY)
        assert inr.frame().shape == (4, 5, 1)


@pytest.mark.parametrize(
    "laid_out",
    [IMAGE.permute(1, 2, 0), IMAGE[None], IMAGE.permute(1, 2, 0).reshape(1, 20, 3), IMAGE[None, :, None]],
    ids=lambda value: str(tuple(value.shape)),
)
def test_what_output_gives_is_recognised(laid_out: torch.Tensor) -> None:
    inr = cw.INR(Echo(lambda _: (0, laid_out)), lambda _: torch.zeros(1), (4, 5), output=lambda y: y[1])
    assert torch.equal(inr.render(), IMAGE)
    assert torch.equal(cw.INR(Echo(lambda _: laid_out), lambda _: torch.zeros(1), (4, 5)).render(), IMAGE)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((2, 4, 5), (4, 5)),
        ((4, 2), (2, 2)),
        ((6, 4, 5), (4, 5)),
        ((4, 5, 6), (4, 5)),
        ((20, 7), (4, 5)),
        ((1, 6, 4, 5), (4, 5)),
    ],
)
def test_what_an_error_suggests_for_channels_works(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    for wrap in (lambda tensor: tensor, lambda tensor: {"rgb": (tensor,)}):
        inr = cw.INR(nn.Identity(), lambda _: torch.zeros(1), size)
        given = wrap(torch.zeros(shape))
        with pytest.raises(ValueError, match="channels; a signal has 1 or 3") as caught:
            inr.image(given)
        suggested = re.search(r"output=lambda result: (result\[.*\])$", str(caught.value))
        assert (suggested is None) == (2 in shape and 6 not in shape)
        if suggested is not None:
            assert len(inr_of(size, suggested[1]).image(given)) == 3


def inr_of(size: tuple[int, int], output: str) -> cw.INR:
    return cw.INR(
        nn.Identity(), lambda _: torch.zeros(1), size, output=lambda result: eval(output, {"result": result})
    )


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_a_signal_has_one_or_three_channels(channels: int) -> None:
    for shape in ((channels, 4, 5), (4, 5, channels), (20, channels), (1, channels, 4, 5)):
        for keywords in ({}, {"output": lambda y: y}):
            inr = cw.INR(
                Echo(lambda x, s=shape: x + torch.zeros(s)), lambda _: torch.zeros(1), (4, 5), **keywords
            )
            with pytest.raises(ValueError, match=f"{channels} channels; a signal has 1 or 3.*output="):
                inr.render()
            with pytest.raises(ValueError, match=f"{channels} channels; a signal has 1 or 3.*output="):
                cw.trace(inr)
    complex_ = cw.INR(Echo(lambda x: torch.complex(IMAGE, IMAGE)), lambda _: torch.zeros(1), (4, 5))
    with pytest.raises(ValueError, match=r"take .real"):
        complex_.render()


class Coarse(nn.Module):
    """A pyramid: each of its images takes more layers than the last."""

    def __init__(self, order: Any) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(3, 3, 1) for _ in range(3)])
        self.order = order

    def forward(self, x: torch.Tensor) -> Any:
        images = [x]
        for layer in self.layers:
            images.append(torch.relu(layer(images[-1])))
        return self.order(images)


@pytest.mark.parametrize(
    ("order", "expected", "warned"),
    [
        (lambda images: images[1:], 3, True),
        (lambda images: images[:0:-1], 3, True),
        (lambda images: {"coarse": images[1], "rest": [images[3], images[2]]}, 3, True),
        (lambda images: (images[0], images[2]), 2, False),
        (lambda images: (images[2], images[0]), 2, False),
    ],
)
def test_of_several_outputs_the_one_most_parameters_reach(order: Any, expected: int, warned: bool) -> None:
    torch.manual_seed(0)
    model = Coarse(order)
    x = torch.rand(1, 3, 4, 5)
    images = Coarse(lambda images: images)
    images.load_state_dict(model.state_dict())
    right = images(x)[expected][0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inr = cw.INR(model, lambda _: x, (4, 5))
        torch.testing.assert_close(inr.render(), right)
        torch.testing.assert_close(torch.tensor(cw.trace(inr, "gated").frame()).permute(2, 0, 1), right)
    told = [str(one.message) for one in caught if "several tensors" in str(one.message)]
    assert len(told) == warned
    assert all("output=lambda result: result[" in one for one in told)


def test_the_size_is_of_the_finest_image() -> None:
    torch.manual_seed(0)

    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, t: torch.Tensor) -> list[torch.Tensor]:
            coarse = self.a(t.expand(1, 1, 4, 6))
            return [coarse, self.b(coarse.repeat_interleave(2, -1).repeat_interleave(2, -2))]

    with pytest.warns(UserWarning, match="several tensors"):
        assert cw.INR.from_frames(Pyramid(), 3).size == (8, 12)


def test_coordinates_beside_the_values_are_not_the_image() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, self.a(x)

    inr = cw.INR.from_coords(Both(), (4, 5), 3)
    (x,), _ = inr.arguments(1)
    with torch.no_grad():
        torch.testing.assert_close(inr.render(1).permute(1, 2, 0).reshape(20, 3), inr.module(x)[1])


def test_no_image_in_the_output() -> None:
    with pytest.raises(ValueError, match=r"a tensor \(2, 2\).*output="):
        cw.INR(Echo(lambda _: torch.zeros(2, 2)), lambda _: torch.zeros(1), (4, 5)).render()
    with pytest.raises(ValueError, match="output: gave a tensor"):
        cw.INR(Echo(lambda _: IMAGE), lambda _: torch.zeros(1), (4, 5), output=lambda x: x[0, 0]).render()
