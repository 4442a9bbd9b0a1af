"""Canvas: the lazy neuron x pixel matrix of one INR.

How a canvas answers:

1. Tracing records the module once. Nothing else is computed until it is asked for.
2. A question about a frame first runs the recording on that frame. `Frames` holds the image and what the rule needs of
   the frames that were used last, in a quarter of the `memory` budget; the frame given to `hold` always stays. All
   canvases of one recording (`under`, `ablation`) share these frames: what two rules need is computed once.
3. Rows (`map`, `maps`) are computed by the rule, a chunk of neurons at a time. A sweep (`iter`, `reduce`, `summary`)
   goes over all neurons of a layer in chunks that fit the budget, and hands out each chunk when it is done.
4. Columns (`pixel`, `region`) take one backward pass for all layers under `gated`. The other rules compute rows, of
   the pixel alone where they can.
5. The budget decides how much is computed together and held. It never changes a number.
6. Maps are not held. Summaries are, those asked for last, in an eighth of the budget.
7. Before the first sweep of a layer, a few of its neurons are checked; what fails is in `trouble`, with a warning.
   `improving_summaries` gives its first look before that, unless it is the last one too.
8. Any thread may ask. Locks guard the frames and the summaries. On a CPU a sweep computes several chunks at once, on
   threads of its own, and yields them in order on the caller's thread.
9. Work stops when a generator is closed, or when the function given as `progress` raises.

Long because every question that can be asked is documented here; `Matrix`, `Summaries` and the rule do the work.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, cast, overload

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.arguments import (
    as_integer,
    by_layer,
    checked,
    checked_index,
    flag,
    frame_or_frames,
    integer,
    optional,
    optional_accuracy,
    some_accuracy,
)
from canvaswidget.progress import Progress
from canvaswidget.tracing.accuracy import ACCURACY
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.directions import checked_basis, with_directions
from canvaswidget.tracing.capture.encoder import checked_encoder
from canvaswidget.tracing.columns import Columns
from canvaswidget.tracing.coverage import coverage
from canvaswidget.tracing.edits import Edits
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.family import Family, key_of
from canvaswidget.tracing.first_checks import FirstChecks
from canvaswidget.tracing.frames import Frames
from canvaswidget.tracing.invariants import check
from canvaswidget.tracing.labelled import labelled_maps
from canvaswidget.tracing.layer_values import activations, remainder, weight
from canvaswidget.tracing.layers import LayerKey, Layers, Neuron
from canvaswidget.tracing.matrix import Matrix, as_numpy, checked_mask
from canvaswidget.tracing.neurons import (
    Neurons,
    count_neurons,
    parse_neuron,
    parse_neurons,
)
from canvaswidget.tracing.other_weights import render_edited, render_without
from canvaswidget.tracing.ranking import rank
from canvaswidget.tracing.reduce import Summary
from canvaswidget.tracing.results import (
    Checks,
    Coverage,
    Estimate,
    Ranking,
    Saving,
)
from canvaswidget.tracing.rules import Rule, make_rule, options_of
from canvaswidget.tracing.saved.writer import save
from canvaswidget.tracing.summaries import Asked, Summaries, asked_of, rgb_of_totals

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Reduced = TypeVar("Reduced")


class Canvas:
    """All contribution maps of all layers: a neurons x pixels matrix that is never held in memory whole.

    Many methods because there is one for each question that can be asked; `Matrix` and the rule compute the answers.

    Made by `trace`. Layers are given by name, by a unique part of it, or by index; a neuron is a unit ``i`` or
    a kernel ``(i, o)``. `granularity` says which neurons an answer is about: ``"unit"``, ``"kernel"``, or ``None``
    for XINC's: kernels for convolutions, units for linear layers. `rgb` says what becomes of the output's colours:
    ``"sum"`` adds them with their sign, ``"abs"`` adds their magnitudes, ``"each"`` keeps a trailing axis of them,
    ``"red"``, ``"green"`` and ``"blue"`` take one of them. An image of one channel is traced as one channel.

    Attributes
    ----------
    inr : INR
    rule : str
    why : str
        Why this rule, where it was not asked for by name.
    options : dict
        Of the rule, those that are not its defaults.
    device : torch.device
    layers : Layers
        Every weighted layer of the model.
    traced_layers : Layers
        Those the rule is defined on.
    dtype : torch.dtype
        What contributions are computed in.
    precision : torch.dtype
        The lowest precision that the module itself computes in.
    trouble : dict of str to str
        By layer, what failed when its first sweep was checked on a few sampled neurons.
    frames : range
        All of the INR.
    """

    # What only a saved canvas has, see `CanvasLike`.
    has_model = True
    path = None
    pixels: tuple[tuple[int, int], ...] = ()
    clusters: tuple[Any, ...] = ()

    def __init__(
        self, capture: Capture, rule: Rule, memory: int, why: str = "", family: Family[Canvas] | None = None
    ) -> None:
        self.inr = capture.inr
        self.frames = range(self.inr.n_frames)
        self.rule = rule.name
        self.options = options_of(rule)
        self.why = why
        self.device = capture.device
        self.memory = memory
        self._family = family or Family(Frames(capture, memory // 4))
        self._family.canvases[key_of(rule.name, self.options)] = self
        self.matrix = Matrix(capture, rule, memory, self._family.frames)
        self.layers: Layers = capture.layers
        self.traced_layers = Layers(rule.layers)
        self.dtype, self.precision = capture.dtype, capture.coarsest
        self._first_checks = FirstChecks(self.matrix)
        self.trouble = self._first_checks.trouble
        self._summaries = Summaries(self.matrix)

    @checked
    def under(self, rule: str, **options: Any) -> Canvas:
        """The same model under another rule, not captured again; see `trace` for the options.

        One canvas for each rule and its options: it keeps what it has computed.

        Raises
        ------
        UntraceableError
            The rule is defined on no layer of this model.
        """
        with self._family.lock:
            known = self._family.canvases.get(key_of(rule, options))
            if known is not None:
                return known
            made = make_rule(self.matrix.capture, rule, options)
            known = self._family.canvases.get(key_of(rule, options_of(made)))
            return known or Canvas(self.matrix.capture, made, self.memory, family=self._family)

    @checked
    def directions(self, layer: LayerKey, basis: Any, *, encoder: Any = None) -> Canvas:
        """The same model with directions in the place of a layer's units: any linear combinations of them.

        A unit's part of the layer's input is written as ``x = D a + rest``: `basis` has the directions as rows (``D``
        transposed), and ``a``, how much of each there is at a position, is their least-squares fit to ``x`` (the
        pseudo-inverse of the basis; for orthogonal rows of length 1 the projections). Direction ``d`` contributes what
        its part ``D[:, d] a[d]`` makes of the image. Maps, columns, ablation (which projects the direction out) and
        all findings of the returned canvas are of directions as they would be of units; under `gated` the rest counts
        in `remainder`. The unit vectors as a basis give the units again. Other layers stay as they are.

        Parameters
        ----------
        layer : str, int or Layer
            Of one group, with real weights.
        basis : (k, n_units)
            Or what `canvaswidget.analysis.directions` found; with an encoder, the rows of its decoder, as long as they
            are. Without one lengths do not matter: rows are made of length 1. Rows may depend on each other, or be more
            than the units: then ``a`` is the smallest that fits. Rows that differ by rounding only, in the type of the
            basis or of the weights, depend on each other.
        encoder : torch.nn.Module or callable, optional
            Of a sparse autoencoder whose decoder `basis` is: a function of activations ``(n_positions, n_units)``, such
            as ``relu((x - b_d) @ W_e.T + b_e)``, that gives latents ``(n_positions, k)``. These are ``a`` then, in the
            place of the least-squares fit. A latent contributes its row of the decoder times its value; the decoder's
            bias and the error of the reconstruction are in ``rest``. A module, or a method of one, is copied.

        Raises
        ------
        UntraceableError
            The layer is a grouped convolution, has complex weights, or has directions already.
        ValueError, TypeError
            `basis` is no such array, or `encoder` no such function.
        """
        found = self.layers.find(layer)
        if encoder is not None:
            encoder = checked_encoder(
                encoder, self.device, self.matrix.capture.weighted[found.name].weight.dtype
            )
        given = checked_basis(getattr(basis, "basis", basis), found, encoder)
        capture = with_directions(self.matrix.capture, found, given)
        return Canvas(capture, make_rule(capture, self.rule, self.options), self.memory, self.why)

    @checked
    def activations(self, layer: LayerKey, frame: int = 0) -> FloatArray:
        """What a layer works on: the values of its units at each position, ``(n_positions, n_units)``.

        Positions are those of the layer's input, in C order: the pixels of a coordinate network, the places of the grid
        before a convolution.
        """
        return activations(self.matrix, self.layers.find(layer), frame)

    @property
    def n_channels(self) -> int:
        """Of the image: 1 or 3."""
        return self.matrix.n_channels

    @property
    def can_sample(self) -> bool:
        """Whether `columns` can be drawn: under the rule `gated`."""
        return self.matrix.rule.is_additive

    @checked
    def kept(self, layer: LayerKey) -> IntArray:
        """The neurons whose maps can be asked for, by flat index: all, but in a saved canvas."""
        return np.arange(math.prod(self.layers.find(layer).neurons))

    # --- what the model shows ---------------------------------------------------------------------------------

    @checked
    def frame(self, frame: int = 0) -> FloatArray:
        """The model's raw output ``(height, width, channels)``, before clipping."""
        return self.matrix.image(frame)

    # --- rows: neuron -> pixels -------------------------------------------------------------------------------

    @overload
    def map(
        self,
        layer: LayerKey,
        neuron: Neuron,
        frame: int = 0,
        *,
        rgb: str = "sum",
        as_torch: Literal[False] = False,
    ) -> FloatArray: ...
    @overload
    def map(
        self, layer: LayerKey, neuron: Neuron, frame: int = 0, *, rgb: str = "sum", as_torch: Literal[True]
    ) -> torch.Tensor: ...
    @checked
    def map(
        self, layer: LayerKey, neuron: Neuron, frame: int = 0, *, rgb: str = "sum", as_torch: bool = False
    ) -> FloatArray | torch.Tensor:
        """One neuron's contributions to all pixels of a frame, ``(height, width)``.

        Raises
        ------
        KeyError
            No layer has this name.
        IndexError
            The layer has no such neuron, or the INR no such frame.
        UntraceableError
            The rule is not defined on this layer; the message says why.
        """
        found = self.matrix.layer(layer)
        neurons = parse_neuron(found, neuron).to(self.device)
        maps = self.matrix.rows(found, neurons, frame, rgb)[0]
        return maps if as_torch else as_numpy(maps)

    @checked
    def maps(
        self,
        layer: LayerKey,
        neurons: Neurons,
        frame: int = 0,
        *,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> FloatArray:
        """The maps of some neurons, ``(k, height, width)``: a sequence of units, of kernels, or ``(k, 2)``."""
        found = self.matrix.layer(layer)
        chosen = parse_neurons(found, neurons).to(self.device)
        return self.matrix.maps(found, chosen, frame, rgb, progress)

    @checked
    def iter(
        self,
        layer: LayerKey,
        frame: int = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> Iterator[tuple[IntArray, FloatArray]]:
        """Every neuron of a layer, chunk by chunk within the memory budget.

        Yields
        ------
        neurons : (k,) or (k, 2)
            Units or kernels, in C order.
        maps : (k, height, width)
        """
        yield from self.reduce(layer, as_numpy, frame, granularity=granularity, rgb=rgb, progress=progress)

    @checked
    def reduce(
        self,
        layer: LayerKey,
        function: Callable[[torch.Tensor], Reduced],
        frame: int = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> Iterator[tuple[IntArray, Reduced]]:
        """Like `iter`, with each chunk of maps made into something smaller where it was computed.

        Parameters
        ----------
        function : callable
            Of a tensor ``(k, height, width)`` on the canvas's device. On a CPU several chunks are computed side by
            side: it is called on their threads and must not keep a state of its own.

        Yields
        ------
        neurons : (k,) or (k, 2)
            Units or kernels, in C order.
        reduced
            What `function` returned for their maps.
        """
        found = self.matrix.layer(layer)
        self._first_checks.check(found, frame)
        for neurons, reduced in self.matrix.sweep(found, frame, granularity, rgb, progress, function):
            yield neurons.numpy(), reduced

    @checked
    def to_xarray(
        self,
        layer: LayerKey,
        neurons: Neurons | None = None,
        frames: int | Sequence[int] = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
    ) -> Any:
        """Maps as an `xarray.DataArray` with names, coordinates and attributes: ``(frame, neuron, y, x[, channel])``.

        Needs xarray: ``pip install 'canvaswidget[xarray]'``.

        Parameters
        ----------
        neurons : sequence, optional
            Units or kernels; all whose maps can be asked for, by default.
        frames : int or sequence of int

        Raises
        ------
        ValueError
            The maps take more than 1 GiB.
        """
        found = self.matrix.layer(layer)
        return labelled_maps(self, found, neurons, frames, rgb, granularity)

    # --- columns: pixel -> neurons ----------------------------------------------------------------------------

    @checked
    def pixel(
        self,
        y: int,
        x: int,
        frame: int = 0,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> dict[str, FloatArray]:
        """Every neuron's contribution to one pixel.

        Parameters
        ----------
        progress : bool or callable
            A bar where it takes longer than 2 s, or ``progress(done, total)``, in neurons, which may raise to stop; a
            rule that needs one backward pass for all of them has nothing to count.

        Returns
        -------
        dict of str to array
            By layer, in order of execution: ``(n,)`` for units, ``(n_in, n_out)`` for kernels (of a grouped
            convolution ``(n_in, n_out / n_groups)``, see `Layer`). Without `layers` all that the rule is defined on.
        """
        y, x = checked_index("y", y, self.inr.size[0]), checked_index("x", x, self.inr.size[1])
        return self.matrix.pixel(y, x, frame, self.matrix.chosen(layers), granularity, rgb, progress)

    @checked
    def region(
        self,
        mask: npt.ArrayLike | torch.Tensor,
        frame: int = 0,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> dict[str, FloatArray]:
        """Every neuron's contribution to a region: the sum of its map over a mask, or weighted by it.

        Parameters
        ----------
        mask : (height, width)
            Boolean, or a weight for each pixel.
        """
        weights = checked_mask(mask, self.inr.size)
        return self.matrix.region(weights, frame, self.matrix.chosen(layers), granularity, rgb, progress)

    @checked
    def top(
        self,
        y: int,
        x: int,
        k: int = 20,
        frame: int = 0,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        *,
        granularity: str | None = None,
        progress: Progress = False,
    ) -> Ranking:
        """The `k` neurons that contribute most to a pixel, across layers.

        They are ordered by magnitude: the sum over colours of the absolute contributions, where the rule knows colours.
        """
        return rank(self, (y, x), k, frame, self.matrix.chosen(layers), granularity, progress)

    # --- reductions -------------------------------------------------------------------------------------------

    @checked
    def summary(
        self,
        layer: LayerKey,
        frame: int = 0,
        accuracy: float | None = None,
        *,
        granularity: str | None = None,
        rgb: str | None = None,
        seed: int = 0,
        more: Summary | None = None,
        progress: Progress = False,
    ) -> Summary:
        """Totals of all maps of a layer, per neuron and per pixel: exact, or estimated from a few passes.

        Parameters
        ----------
        accuracy : float, optional
            None (the default) for the exact totals. Otherwise passes are added until half of the 95% interval of a
            neuron's total is this part of it, in the median over neurons. A rule whose maps cost little or can't be
            sampled (all but `gated`) gives the exact totals all the same, and so does a layer where they take no more
            passes than the estimate would.
        rgb : {"abs", "sum", "red", "green", "blue"}, optional
            What the magnitudes are of: each colour (``"abs"``, the default where the rule knows colours), the sum of
            the colours (the default elsewhere, see `why_no_colours`), or one colour.
        seed : int
            Of the sample.
        more : Summary, optional
            An estimate of the same question to go on from; its seed stays.
        """
        found, frame = self.matrix.layer(layer), self.inr.frame_index(frame)
        asked = Asked(frame, granularity, rgb_of_totals(self.matrix, found, rgb), seed)
        self._first_checks.check(found, frame)
        return self._first_checks.warned(self._summaries.one(found, asked, accuracy, more, progress))

    @checked(accuracy=optional_accuracy)
    def summaries(
        self,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        frame: int = 0,
        accuracy: float | None = ACCURACY,
        *,
        granularity: str | None = None,
        rgb: str | None = None,
        seed: int = 0,
        progress: Progress = False,
    ) -> dict[str, Summary]:
        """Summaries of several layers (by default all that are traced), estimated from passes that serve all of them.

        The arguments are those of `summary`. `improving_summaries` gives them as they get better.
        """
        chosen, frame = self.matrix.chosen(layers), self.inr.frame_index(frame)
        if accuracy is None or not self.matrix.rule.is_additive:
            return {
                layer.name: self.summary(layer, frame, granularity=granularity, rgb=rgb, progress=progress)
                for layer in chosen
            }
        *_, last = self.improving_summaries(
            chosen, frame, accuracy, granularity=granularity, rgb=rgb, seed=seed, progress=progress
        )
        return {
            name: self._first_checks.warned(summary)
            for name, summary in self._summaries.with_pixels(last).items()
        }

    @checked
    def improving_summaries(
        self,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        frame: int = 0,
        accuracy: float = ACCURACY,
        *,
        granularity: str | None = None,
        rgb: str | None = None,
        seed: int = 0,
        progress: Progress = False,
    ) -> Iterator[dict[str, Summary]]:
        """Ever better estimates of the totals of neurons, without those of pixels; stop whenever they are good enough.

        Raises
        ------
        UntraceableError
            The rule can't be sampled (only `gated` can).
        """
        chosen, frame = self.matrix.chosen(layers), self.inr.frame_index(frame)
        self._require_sampling()
        asked = asked_of(self.matrix, chosen, frame, granularity, rgb, seed)
        for found in self._summaries.improving(asked, accuracy, progress):
            is_last = len(found) == len(chosen) and all(one.half_width <= accuracy for one in found.values())
            if not is_last:
                yield found  # the first look does not wait for the checks
            for one in chosen:
                self._first_checks.check(one, frame)
            if is_last:
                yield found

    @checked(frames=frame_or_frames)
    def columns(
        self,
        layer: LayerKey,
        frames: int | Sequence[int] = 0,
        *,
        granularity: str | None = None,
        rgb: str | None = None,
        seed: int = 0,
    ) -> Columns:
        """Every neuron's magnitude at lattices of pixels, in a random order: what findings are estimated from.

        Parameters
        ----------
        rgb : {"abs", "sum", "red", "green", "blue"}, optional
            What the magnitudes are of, as in `summary`.

        Raises
        ------
        UntraceableError
            The rule can't be sampled (only `gated` can).
        """
        found = self.matrix.layer(layer)
        self._require_sampling()
        given = cast(Sequence[int], frames if as_integer(frames) is None else [frames])
        chosen = [self.inr.frame_index(frame) for frame in given]
        self._first_checks.check(found, chosen[0])
        return Columns(self.matrix, found, chosen, granularity, rgb_of_totals(self.matrix, found, rgb), seed)

    @checked(pixels=None, truth=flag, accuracy=some_accuracy)
    def save(
        self,
        path: str | os.PathLike[str],
        *,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        frames: int | Sequence[int] | None = None,
        maps: int | Literal["all"] | Mapping[Any, Neurons] = 8,
        pixels: Sequence[tuple[int, int]] | None = None,
        regions: Mapping[str, npt.ArrayLike] | None = None,
        clusters: Sequence[Any] = (),
        truth: bool = True,
        accuracy: float | Literal["auto"] | None = "auto",
        overwrite: bool = False,
        estimate: bool = False,
        progress: Progress = True,
    ) -> Saving:
        """Keep what is of interest in a folder of Zarr arrays, to be looked at without the model.

        Read it with `canvaswidget.open`. It is written beside its place and put there by one rename, so that
        whatever ends the writing leaves an earlier file as it was.

        Parameters
        ----------
        path : str or Path
            Conventionally ends in ``.zarr``.
        layers, frames
            All by default. Each frame is kept as a picture, with the totals of each layer.
        maps : int, "all" or {layer: neurons}
            Whose maps are kept: so many of each layer (those with the largest totals, and those that contribute most
            to each of the pixels, in the middle frame), all, or those named. With all, a layer answers every question.
        pixels : sequence of (y, x), optional
            For which every neuron's contribution is kept; the middle of the frame by default.
        regions : {name: mask}, optional
            The same for regions.
        clusters : sequence of Clusters, optional
            As `canvaswidget.analysis.cluster` gives them.
        truth : bool
            Whether the signal is kept too, where the INR has it.
        accuracy : float, "auto" or None
            Of totals, as `summary` takes it; None for exact ones. By default those of a layer are exact where they take
            at most about 10 s on all frames, else estimated to 0.05, from a limited number of passes: what is read has
            their intervals then (`low`, `high`, `is_exact`). Rules that can't be sampled (all but `gated`) are always
            exact.
        overwrite : bool
            Whether to replace a saved canvas.
        estimate : bool
            Write nothing, and tell how large it would be and how long it would take.
        progress : bool or callable
            A bar, or ``progress(done, total)``.

        Returns
        -------
        Saving
            What is kept, and its size.
        """
        return save(
            self,
            self.inr.module,
            path,
            layers=layers,
            frames=frames,
            maps=maps,
            pixels=pixels,
            regions=regions,
            clusters=clusters,
            truth=truth,
            accuracy=accuracy,
            overwrite=overwrite,
            estimate=estimate,
            progress=progress,
        )

    # --- about itself -----------------------------------------------------------------------------------------

    def coverage(self) -> Coverage:
        """What the rule follows of the model, op by op."""
        return coverage(self.matrix.capture, self.matrix.rule, self.why)

    @checked
    def why_no_colours(self, layer: LayerKey) -> str:
        """Why the layer's maps can't be told apart by colour under this rule; empty where they can."""
        return self.matrix.why_no_colours(self.matrix.layer(layer))

    @checked
    def estimate(self, layers: LayerKey | Sequence[LayerKey] | None = None, frame: int = 0) -> Estimate:
        """What a sweep over all neurons of some layers (all that are traced, by default) will take."""
        return self.matrix.estimate(self.matrix.chosen(layers), frame)

    @checked
    def weight(self, layer: LayerKey) -> FloatArray:
        """The weight of a layer as the network computes with it.

        ``(n_out, n_in)`` of a linear layer, ``(n_out, n_in / n_groups, ...)`` of a convolution, and
        ``(n_in, n_out / n_groups, ...)`` of a transposed one. Features that are looked up in a table have no weights:
        the identity.
        """
        return weight(self.matrix, self.layers.find(layer))

    @checked
    def remainder(self, layer: LayerKey, frame: int = 0) -> FloatArray:
        """What of the image does not come from a layer's neurons, ``(height, width, channels)``.

        The bias path, what ``act(0)`` adds, and what passes beside the layer. Under the rule `gated` it and the layer's
        maps (``rgb="each"``) add up to `frame`, less what the layer makes by way of opaque ops: `coverage` names these,
        and `check` measures it.

        Raises
        ------
        UntraceableError
            The rule does not divide the image (only `gated` does), or is not defined on this layer.
        """
        return remainder(self.matrix, self.matrix.layer(layer), frame)

    @checked
    def ablation(self, fill: str = "zero") -> Canvas:
        """The same model under `ablation`: `ablate` renders with it."""
        return self.under("ablation", fill=fill)

    @checked(neurons=by_layer)
    def ablate(self, neurons: Mapping[Any, Neurons], frame: int = 0, *, fill: str = "zero") -> FloatArray:
        """What the model shows without some neurons, raw, whatever the rule of this canvas.

        Parameters
        ----------
        neurons : dict
            Units or kernels by layer. Their outgoing weights count as 0; biases stay, even where the maps of this
            canvas take each neuron's share of the bias along (``bias="split"``).
        fill : {"zero", "mean"}
            What stands in their place: nothing, or what they give on average over the positions.
        """
        return render_without(self.ablation(fill).matrix, neurons, frame)

    @checked
    def edit(self, edits: Edits, frame: int = 0) -> FloatArray:
        """What the model shows when the outgoing weights of some neurons are scaled, raw, whatever the rule.

        Parameters
        ----------
        edits : {layer: {neuron: factor}}
            Units, kernels or directions. By 0 a neuron is ablated, by 1 nothing changes, by 2 it writes twice as much;
            biases stay.

        Raises
        ------
        TypeError, ValueError
            `edits` is no such mapping, or a factor no finite number.
        """
        return render_edited(self.ablation().matrix, edits, frame)

    @property
    def held_bytes(self) -> int:
        """What it holds in memory now: weights, frames and summaries."""
        weights = sum(tensor.nbytes for tensor in self.matrix.capture.constants.values())
        return weights + self._family.frames.nbytes + self._summaries.n_bytes

    def forget(self) -> None:
        """Let go of frames and summaries; what is asked next is computed anew."""
        self._family.frames.forget()
        for canvas in list(self._family.canvases.values()):
            canvas._summaries.forget()

    @checked(frame=optional(integer(high=None)))
    def hold(self, frame: int | None) -> None:
        """Keep what is known of a frame, whatever is asked of others meanwhile; None for no frame."""
        self.matrix.frames.held = None if frame is None else self.inr.frame_index(frame)

    @checked
    def check(self, frame: int = 0, *, progress: Progress = True) -> Checks:
        """Try the invariants that hold for this rule on this model.

        Parameters
        ----------
        progress : bool or callable
            A bar where it takes longer than 2 s, or ``progress(done, total)``, in layers, which may raise to stop.
        """
        return check(self.matrix, self.inr.frame_index(frame), progress)

    @checked
    def sums(
        self, frame: int = 0, layer: LayerKey | None = None
    ) -> Iterator[tuple[str, str, FloatArray, FloatArray]]:
        """What the rule says adds up, of one layer or all: ``(invariant, layer, sum, what it should be)``."""
        return self.matrix.sums(frame, self.matrix.chosen(layer))

    def __repr__(self) -> str:
        height, width = self.inr.size
        kernels = sum(count_neurons(layer, None) for layer in self.traced_layers)
        text = (
            f"Canvas({self.inr.name}, rule {self.rule}: {kernels:,} neurons in {len(self.traced_layers)} of "
            f"{len(self.layers)} layers x {height}x{width} pixels x {self.inr.n_frames} frames, on {self.device})"
        )
        return "\n".join([text, *(f"WARNING: {problem}" for problem in self.trouble.values())])

    # --- within -----------------------------------------------------------------------------------------------

    def _require_sampling(self) -> None:
        if not self.can_sample:
            raise UntraceableError(
                f"rule={self.rule!r}: can't be sampled, its columns are read off its maps; rule 'gated' can, and "
                "summary() is exact under every rule"
            )
