"""Record a module: run it once, have `torch.export` write down its ops, and find its layers.

``torch.export`` records what the module does, op by op, whatever way it is written; nothing of the module is
edited, hooked or registered.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import fx, nn
from torch.export.graph_signature import InputKind, OutputKind
from torch.utils import _pytree as pytree

from canvaswidget.inr import INR
from canvaswidget.inr.module_state import (
    CALLS,
    ModuleState,
    RandomState,
    copied,
    evaluating,
    is_lazy,
    random_state_kept,
    replica,
    unchanged,
)
from canvaswidget.tracing.capture.asked_values import answering, asking
from canvaswidget.tracing.capture.capture import Capture, numbers_of
from canvaswidget.tracing.capture.composite_ops import prepared_once
from canvaswidget.tracing.capture.find_layers import find_layers, find_varying
from canvaswidget.tracing.capture.grids import with_grids
from canvaswidget.tracing.capture.ops import DECOMPOSED
from canvaswidget.tracing.capture.parameters import parameter_note
from canvaswidget.tracing.capture.precision import (
    DOUBLE,
    SINGLE,
    Wider,
    coarsest,
    laid_out,
    place,
    placed,
)
from canvaswidget.tracing.capture.randomness import record_draws
from canvaswidget.tracing.capture.replay import Replay
from canvaswidget.tracing.capture.rewrite import rewrite
from canvaswidget.tracing.capture.rewrite.decompositions import DECOMPOSITIONS
from canvaswidget.tracing.capture.simple_programs import simplified
from canvaswidget.tracing.errors import FOREIGN, CaptureError, check_finite
from canvaswidget.tracing.layers import Layers

STEPS = 3  # run the module once, record it, find its layers


def record(
    inr: INR, device: torch.device, report: Callable[[int, int], None] = lambda done, total: None
) -> Capture:
    """The ops of an INR and its layers.

    Raises
    ------
    CaptureError
        ``torch.export`` cannot record the module.
    """
    if isinstance(inr.module, torch.jit.ScriptModule):
        raise CaptureError(
            f"module={type(inr.module).__name__}: TorchScript can't be recorded; "
            "give the nn.Module it was made from"
        )
    if is_lazy(inr.module):
        inr.render()
    with CALLS, unchanged(inr.module), torch.inference_mode(False), torch.no_grad():
        drawn = RandomState()
        positional, keywords = inr.arguments(0)
        inputs_draw = drawn.differs()
        module = replica(inr.module)
        state = ModuleState(module)
        # The forward may ask tensors for their values, which do not exist while recording: run once, keep the
        # answers, give them again. Errors of the module itself are raised here, as they are.
        drawn = RandomState()
        with asking(lambda: report(0, STEPS)) as answers, evaluating(module):
            image = inr.image(module(*copied(positional), **copied(keywords)))
        draws = drawn.differs()
        state.restore()
        report(1, STEPS)
        try:
            with evaluating(inr.module):
                program = _exported(_Rendering(inr), copied(positional), copied(keywords), answers)
        except Exception as error:
            # Anything that torch.export refuses ends up here.
            raise CaptureError(
                f"module={type(inr.module).__name__}: torch.export could not record its forward. What it does "
                "outside torch (NumPy, files, other libraries) must move into inputs=, which is not recorded, or "
                f"be written in torch. {_first_line(error)}"
            ) from error
    report(2, STEPS)
    graph, signature = program.graph, program.graph_signature
    _keep_only_the_image(program)
    constants = _constants(program, module)
    check_finite(image, 0)  # after the weights, whose NaN is the cause where they hold any
    targets = {
        cast(Any, spec.arg).name: (spec.target or "").removeprefix("module.")
        for spec in signature.input_specs
    }
    with _named_errors(inr), random_state_kept(draws), torch.inference_mode(False), torch.no_grad():
        drawing = record_draws(graph, constants)
    with _named_errors(inr), torch.inference_mode(False):
        rewrite(graph, constants, signature.inputs_to_parameters)
        with_grids(graph, constants, targets, signature.inputs_to_parameters)
    numbers = numbers_of(pytree.tree_leaves((positional, keywords)))
    recorded = Capture(
        inr,
        device,
        module,
        graph,
        program.graph_module,
        constants,
        targets,
        numbers,
        answers,
        draws,
        inputs_draw,
        drawing,
        coarsest(graph),
        {},
    )
    with _named_errors(inr):
        capture = _with_layers(recorded, graph, SINGLE)
    capture.compare = Replay(capture).check
    report(3, STEPS)
    return capture


def in_double(capture: Capture) -> Capture:
    """The same recording, computed in double precision."""
    graph = fx.Graph()
    graph.output(graph.graph_copy(capture.graph, {}))
    return _with_layers(capture, graph, DOUBLE)


def _with_layers(capture: Capture, graph: fx.Graph, wider: Wider) -> Capture:
    """The recording with its layers, computed in types as wide as `wider` says."""
    place(graph, capture.device, wider)
    with torch.inference_mode(False):
        constants = {
            name: laid_out(placed(tensor, capture.device, wider))
            for name, tensor in capture.constants.items()
        }
    varying = find_varying(graph, constants)
    found = dataclasses.replace(capture, graph=graph, wider=wider, constants=constants, varying=varying)
    found.weighted = find_layers(found)
    found.layers = Layers([one.layer for one in found.weighted.values()])
    found.layers.note = parameter_note(found)
    return found


@contextlib.contextmanager
def _named_errors(inr: INR) -> Iterator[None]:
    """Errors of torch's about what it recorded, as errors about the module."""
    try:
        yield
    except (CaptureError, torch.OutOfMemoryError):
        raise
    except FOREIGN as error:
        raise CaptureError(
            f"module={type(inr.module).__name__}: its recorded ops could not be read: {_first_line(error)}. "
            "Please report this model"
        ) from error


class _Rendering(nn.Module):
    """The user's module and what turns its output into the image, as one module."""

    def __init__(self, inr: INR) -> None:
        super().__init__()
        self.module = inr.module
        self._image: Callable[[Any], torch.Tensor] = inr.image

    def forward(self, *positional: Any, **keywords: Any) -> torch.Tensor:
        return self._image(self.module(*positional, **keywords))


def _keep_only_the_image(program: torch.export.ExportedProgram) -> None:
    """Drop what the graph returns beside the image: new values of buffers and inputs that the forward writes."""
    specs = program.graph_signature.output_specs
    result = next(node for node in reversed(program.graph.nodes) if node.op == "output")
    given = pytree.tree_leaves(result.args)
    result.args = (
        tuple(node for node, spec in zip(given, specs, strict=True) if spec.kind is OutputKind.USER_OUTPUT),
    )


@torch.inference_mode(False)
def _constants(program: torch.export.ExportedProgram, module: nn.Module) -> dict[str, torch.Tensor]:
    """Weights, buffers and literals as they are now, by graph input.

    Parameters are shared with the copy of the module, where it has them in the same form; nothing writes them.
    """
    shared = dict(module.named_parameters(remove_duplicate=False))
    constants = {}
    for spec in program.graph_signature.input_specs:
        if spec.kind is InputKind.USER_INPUT:
            continue
        source = program.state_dict if spec.target in program.state_dict else program.constants
        found = source[cast(str, spec.target)]
        if not isinstance(found, torch.Tensor):
            raise CaptureError(
                f"module={type(module).__name__}: its forward uses a {type(found).__name__}, which can't be recorded; "
                "pass the tensors that it makes in with inputs="
            )
        tensor = found.detach()
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            name = cast(str, spec.target).removeprefix("module.")
            raise ValueError(
                f"module: its weight {name!r} holds NaN or infinity, so no contribution is defined. "
                "Load a checkpoint from before training diverged"
            )
        # A copy: what is trained further, or pruned, meanwhile must not change half of what is known.
        copied = shared.get(cast(str, spec.target).removeprefix("module."))
        constants[cast(Any, spec.arg).name] = tensor.clone() if copied is None else copied.detach()
    return constants


def _exported(
    module: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any], answers: list[Any]
) -> torch.export.ExportedProgram:
    """Record the module, without in-place ops; where it asks a tensor for its value, it gets the next answer."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`isinstance\\(treespec", FutureWarning)  # torch about its own code
        # A forward may keep what it computed; it is put back.
        warnings.filterwarnings("ignore", "The tensor attribute", UserWarning)
        warnings.filterwarnings("ignore", "The tensor attributes", UserWarning)
        with answering(answers):
            program = torch.export.export(module, positional, keywords, strict=False)
        decompositions = {**_simpler(), **DECOMPOSITIONS}
        if simplified(program, decompositions):
            return program
        with prepared_once():
            return program.run_decompositions(decompositions)


@functools.cache
def _simpler() -> dict[Any, Callable[..., Any]]:
    """Torch's own decompositions of the ops in `DECOMPOSED`; collecting them takes torch as long as a small model."""
    known = torch.export.default_decompositions()
    return {op: known[op] for op in DECOMPOSED if op in known}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
