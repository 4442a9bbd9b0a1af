"""Run the model once and see it as a graph of ops with named, weighted layers.

``torch.export`` records what the module does, op by op, whatever way it is written; nothing of the module is
edited, hooked or registered.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import operator
import threading
import warnings
from collections.abc import Callable, Collection, Iterator
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
    evaluating,
    is_lazy,
    replica,
    unchanged,
)
from canvaswidget.tracing.capture.dependence import inputs, reached
from canvaswidget.tracing.capture.editing import WRITTEN
from canvaswidget.tracing.capture.interpreter import Program, call
from canvaswidget.tracing.capture.ops import (
    DECOMPOSED,
    LAYERS,
    LINEAR,
    MATRIX_PRODUCTS,
    POINTWISE,
    SOFTMAX,
)
from canvaswidget.tracing.capture.parameters import parameter_note
from canvaswidget.tracing.capture.pauses import pause
from canvaswidget.tracing.capture.precision import (
    DOUBLE,
    SINGLE,
    Wider,
    coarsest,
    place,
    placed,
)
from canvaswidget.tracing.capture.questions import answering, asking
from canvaswidget.tracing.capture.replay import Replay
from canvaswidget.tracing.capture.rewrite import rewrite
from canvaswidget.tracing.capture.rewrite.decompositions import DECOMPOSITIONS
from canvaswidget.tracing.capture.weighted import Weighted, bias_added_to
from canvaswidget.tracing.errors import FOREIGN, CaptureError, check_finite
from canvaswidget.tracing.layers import Layer, Layers

STEPS = 3  # run the module once, record it, find its layers


class Capture:
    """The ops of one INR, from its inputs to the image ``(channels, height, width)``.

    Attributes
    ----------
    graph : torch.fx.Graph
        ATen ops; its single output is the image.
    layers : Layers
        The weighted ops, in order of execution.
    weighted : dict of str to Weighted
        Where each layer stands in the graph, by name.
    module : torch.nn.Module
        A copy of the INR's module as it was when it was recorded, to compare the recording with.
    answers : list
        What tensors answered at frame 0 where the forward asked for their values.
    draws : bool
        Whether the forward changes the random state.
    replay : Replay
        Compares the recording with the module.
    coarsest : torch.dtype
        The type of the lowest precision that the module computes in. What is computed of the recording is in
        single precision at least.
    """

    def __init__(
        self, inr: INR, device: torch.device, report: Callable[[int, int], None] = lambda done, total: None
    ) -> None:
        self.inr = inr
        self.device = device
        if isinstance(inr.module, torch.jit.ScriptModule):
            raise CaptureError(
                f"module={type(inr.module).__name__}: TorchScript can't be recorded; "
                "give the nn.Module it was made from"
            )
        if is_lazy(inr.module):
            inr.render()
        with CALLS, unchanged(inr.module), torch.inference_mode(False), torch.no_grad():
            positional, keywords = inr.arguments(0)
            self.module = replica(inr.module)
            state = ModuleState(self.module)
            # The forward may ask tensors for their values, which do not exist while recording: run once, keep the
            # answers, give them again. Errors of the module itself are raised here, as they are.
            drawn = RandomState()
            with asking(lambda: report(0, STEPS)) as self.answers:
                image = self.render_copy(positional, keywords)
            self.draws = drawn.differs()
            state.restore()
            report(1, STEPS)
            try:
                with evaluating(inr.module):
                    program = _record(_Rendering(inr), _copied(positional), _copied(keywords), self.answers)
            except Exception as error:
                # Anything that torch.export refuses ends up here.
                raise CaptureError(
                    f"module={type(inr.module).__name__}: torch.export could not record its forward. What it does "
                    "outside torch (NumPy, files, other libraries) must move into inputs=, which is not recorded, or "
                    f"be written in torch. {_first_line(error)}"
                ) from error
        report(2, STEPS)
        self._program = program
        self.graph: fx.Graph = program.graph
        _keep_only_the_image(program)
        self._constants = _constants(program, self.module)
        check_finite(image, 0)  # after the weights, whose NaN is the cause where they hold any
        with self._named_errors():
            rewrite(self.graph, self._constants, program.graph_signature.inputs_to_parameters)
        self._targets = {
            cast(Any, spec.arg).name: (spec.target or "").removeprefix("module.")
            for spec in program.graph_signature.input_specs
        }
        self._numbers = _numbers(pytree.tree_leaves((positional, keywords)))
        self.coarsest = coarsest(self.graph)
        with self._named_errors():
            self._read(SINGLE)
        report(3, STEPS)
        self.replay = Replay(self)

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Errors of torch's about what it recorded, as errors about the module."""
        try:
            yield
        except (CaptureError, torch.OutOfMemoryError):
            raise
        except FOREIGN as error:
            raise CaptureError(
                f"module={type(self.inr.module).__name__}: its recorded ops could not be read: {_first_line(error)}. "
                "Please report this model"
            ) from error

    def _read(self, wider: Wider) -> None:
        """Find the layers of the graph, computed in types as wide as `wider` says."""
        self._wider = wider
        place(self.graph, self.device, wider)
        with torch.inference_mode(False):
            self._constants = {
                name: placed(tensor, self.device, wider) for name, tensor in self._constants.items()
            }
        self._varying = _varying(self.graph, self._constants)
        self._fixed: dict[fx.Node, torch.Tensor | None] = {}
        self._computing = threading.RLock()  # several threads ask for what is computed of weights alone
        self.weighted: dict[str, Weighted] = {}
        self.layers = Layers(list(self._find_layers()))
        self.layers.note = parameter_note(self)
        # Layers by the op that gives their output.
        self.nodes: dict[str, fx.Node] = {name: found.output for name, found in self.weighted.items()}

    def render_copy(self, positional: tuple[Any, ...], keywords: dict[str, Any]) -> torch.Tensor:
        """The image that the copy of the module makes of copies of some arguments."""
        positional, keywords = _copied(positional), _copied(keywords)
        with evaluating(self.module), torch.inference_mode(False), torch.no_grad():
            return self.inr.image(self.module(*positional, **keywords))

    @property
    def dtype(self) -> torch.dtype:
        """What the image is computed in."""
        recorded = cast(torch.Tensor, self.output.meta["val"]).dtype
        return self._wider.get(recorded, recorded)

    def in_double(self) -> Capture:
        """The same recording, computed in double precision."""
        wide = copy.copy(self)
        wide.__dict__.pop("_ops", None)
        wide.graph = fx.Graph()
        wide.graph.output(wide.graph.graph_copy(self.graph, {}))
        wide._read(DOUBLE)
        return wide

    @staticmethod
    def path(node: fx.Node) -> str:
        """The module path an op was called in."""
        return _module_path(node)

    def target(self, node: fx.Node) -> str:
        """The name of the module's parameter or buffer that an input of the graph is, or an empty string."""
        return self._targets.get(node.name, "")

    def parameter(self, node: Any) -> torch.Tensor | None:
        """The tensor of an op that depends on no input: a weight, or what the forward makes of weights alone."""
        if not isinstance(node, fx.Node) or node in self._varying:
            return None
        if node.name in self._constants:
            return self._constants[node.name]
        if node not in self._fixed:
            with self._computing:
                if node not in self._fixed:
                    self._fixed[node] = self._computed(node)
        return self._fixed[node]

    @torch.inference_mode(False)
    @torch.no_grad()
    def _computed(self, node: fx.Node) -> torch.Tensor | None:
        return call(node, self.parameter) if node.op == "call_function" else None

    @functools.cached_property
    def _parameters(self) -> dict[str, nn.Parameter]:
        return dict(self.inr.module.named_parameters(remove_duplicate=False))

    @property
    def n_channels(self) -> int:
        """Of the image: 1 or 3."""
        return int(self.output.meta["val"].shape[0])

    @property
    def output(self) -> fx.Node:
        """The op whose value is the image."""
        result = next(node for node in reversed(self.graph.nodes) if node.op == "output")
        return cast(fx.Node, pytree.tree_leaves(result.args)[0])

    @torch.inference_mode(False)  # columns need values that autograd may keep
    @torch.no_grad()
    def run(
        self,
        frame: int,
        keep: Collection[fx.Node],
        change: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> dict[fx.Node, torch.Tensor]:
        """The values of some nodes at a frame; with `change`, of changed weights and inputs."""
        with CALLS:  # the inputs may depend on the module's weights, which stand-ins replace meanwhile
            given = pytree.tree_leaves(self.inr.arguments(frame))
        if _numbers(given) != self._numbers:
            raise ValueError(
                f"inputs: gives the numbers {_numbers(given)} at frame {frame} and {self._numbers} at frame 0; "
                "numbers are recorded as constants, so give them as tensors"
            )
        leaves = [placed(leaf, self.device, self._wider) for leaf in given]
        constants = self._constants
        if change is not None:
            leaves = [change(leaf) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
            constants = {name: change(tensor) for name, tensor in constants.items()}
        user, given = iter(leaves), {}
        for node in self.graph.nodes:
            if node.op == "placeholder":
                given[node] = constants[node.name] if node.name in constants else next(user)
            elif node.op == "get_attr":
                value = operator.attrgetter(str(node.target))(self._program.graph_module)
                given[node] = placed(value, self.device, self._wider)
        return self._ops.run(given.__getitem__, keep, after_each=pause)

    @functools.cached_property
    def _ops(self) -> Program:
        return Program(node for node in self.graph.nodes if node.op == "call_function")

    def _find_layers(self) -> Iterator[Layer]:
        for node in self.graph.nodes:
            op = LAYERS.get(node.target)
            found = None if op is None else self._weighted(node, op)
            if found is not None:
                self.weighted[found.layer.name] = found
                yield found.layer

    def _weighted(self, node: fx.Node, op: str) -> Weighted | None:
        """The layer that `node` is, if it multiplies something by a weight that no input changes."""
        name = str(node.target).split(".")[1]
        data, weight = (cast(fx.Node, argument) for argument in node.args[:2])
        given = cast(Any, node.args[2] if len(node.args) > 2 and op != "matmul" else None)
        tensor = self.parameter(weight)
        if tensor is None or data not in self._varying:
            return None
        if name in ("mm", "matmul"):
            if tensor.ndim != 2:
                return None
            tensor = tensor.T
        elif op == "linear" and tensor.ndim != 2:
            return None
        layer = _describe(node, op, self._unused_name(self._name(node, weight)), tensor)
        bias = self.parameter(given)
        output = node
        if bias is None and given is None:
            output, bias = bias_added_to(node, self.parameter, layer.n_outputs)
            if layer.op != "linear":
                output, bias = node, None
        return Weighted(layer, node, output, data, tensor, bias)

    def _name(self, node: fx.Node, weight: fx.Node) -> str:
        """The path of the module whose weight it is, else of the module it is called in, with the op."""
        owners, waiting = set(), [weight]
        while waiting:
            source = waiting.pop()
            owner, dot, name = (
                self._targets.get(source.name, "").replace(".parametrizations", "").partition(".weight")
            )
            owners |= {owner} if dot and (not name or name.startswith(".")) else set()
            waiting.extend([] if source.target in LAYERS else source.all_input_nodes)
        path = _module_path(node)
        if len(owners) == 1:
            owner = owners.pop()
            # A weight of several modules is named by its first; a call is of the module that is called.
            shared = [self._parameters.get(f"{name}.weight") for name in (owner, path)]
            return path if shared[0] is not None and shared[0] is shared[1] else owner
        if path and _module_class(node).startswith("torch."):
            return path
        op = op_name(node)
        op = "matmul" if op == "mm" else op
        return f"{path}.{op}" if path else op

    def _unused_name(self, wanted: str) -> str:
        name = wanted
        for number in range(2, len(self.weighted) + 2):
            if name not in self.weighted:
                break
            name = f"{wanted}#{number}"
        return name


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


def _copied(value: Any) -> Any:
    """Arguments of a call that the forward may write without an effect on the inputs."""
    return pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, value)


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


def _module_path(node: fx.Node) -> str:
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path = stack[-1][0] if stack else ""
    return path.removeprefix("module").removeprefix(".")


def _module_class(node: fx.Node) -> str:
    stack = list(node.meta.get("nn_module_stack", {}).values())
    given = stack[-1][1] if stack else ""
    return given if isinstance(given, str) else f"{given.__module__}.{given.__qualname__}"


def _record(
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
        known = torch.export.default_decompositions()
        simpler = {op: known[op] for op in DECOMPOSED if op in known}
        return program.run_decompositions({**simpler, **DECOMPOSITIONS})


def _numbers(leaves: list[Any]) -> list[Any]:
    return [leaf for leaf in leaves if not isinstance(leaf, torch.Tensor)]


def _varying(graph: fx.Graph, constants: Collection[str]) -> set[fx.Node]:
    """What depends on the inputs, or on a layer of constants that makes features and not a weight.

    The features of a learned grid, of a latent code or of constant tokens are a layer's data like any other; what a
    network makes of constants to use it as the weight of a layer is a part of that layer.
    """
    roots = inputs(graph, constants)
    varying = reached(graph, roots)
    weights: set[Any] = set()
    attention = {node for node in graph.nodes if _is_attention(node, varying)}
    for node in reversed(graph.nodes):
        if node in weights or (node.target in LAYERS and node not in attention):
            parts = node.all_input_nodes if node in weights else node.args[1:3]
            weights.update(part for part in parts if isinstance(part, fx.Node) and part not in varying)
    for node in graph.nodes:
        if node.target in LAYERS and node not in varying and node not in weights:
            roots.add(cast(fx.Node, node.args[0]))
    for factor in {cast(fx.Node, factor) for node in attention for factor in node.args[:2]} - varying:
        roots.update(cast(fx.Node, maker.args[0]) for maker in _makers(factor))
    return reached(graph, roots)


def _is_attention(node: fx.Node, varying: set[fx.Node]) -> bool:
    """Whether a product's second factor, which no input changes, is features of tokens: a key or a value, no weight.

    A layer makes it, and the product goes to a softmax or comes from one, or a layer makes the first factor from
    constants too.
    """
    if node.target not in MATRIX_PRODUCTS or node.args[1] in varying:
        return False
    data, second = (cast(fx.Node, factor) for factor in node.args[:2])
    if not _makers(second):
        return False
    if second.meta["val"].ndim != 2:
        return True  # no layer: weights of a layer have two axes
    between = POINTWISE | set(LINEAR)
    around = {data, *_next_to(data, between, False), *_next_to(node, between, True)}
    return any(one.target in SOFTMAX for one in around) or (data not in varying and bool(_makers(data)))


def _makers(node: fx.Node) -> set[fx.Node]:
    """The layers that a value comes from, not by way of their own weights."""
    return {one for one in _before(node) if one.target in LAYERS}


def _before(node: fx.Node) -> set[fx.Node]:
    """An op and those that its value comes from, of a layer by way of its data only."""
    found, waiting = set(), [node]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(one.all_input_nodes[:1] if one.target in LAYERS else one.all_input_nodes)
    return found


def _next_to(node: fx.Node, through: set[Any], forward: bool) -> set[fx.Node]:
    """The first ops after a node (or before it) that are not among `through`."""
    found, seen, waiting = set(), {node}, [node]
    while waiting:
        one = waiting.pop()
        if one is not node and one.target not in through:
            found.add(one)
            continue
        if not forward and one is node and one.target not in through:
            continue
        neighbours = list(one.users) if forward else one.all_input_nodes
        waiting.extend(other for other in neighbours if other not in seen)
        seen.update(neighbours)
    return found


def _describe(node: fx.Node, op: str, name: str, weight: torch.Tensor) -> Layer:
    if op == "linear":
        return Layer(name, op, int(weight.shape[1]), int(weight.shape[0]))
    groups = cast(int, node.args[6]) if len(node.args) > 6 else 1
    kernel_size = tuple(int(n) for n in weight.shape[2:])
    grid = tuple(int(n) for n in node.meta["val"].shape[-len(kernel_size) :])
    n_in, n_out = int(weight.shape[1]) * groups, int(weight.shape[0])
    if op.startswith("conv_transpose"):
        n_in, n_out = int(weight.shape[0]), int(weight.shape[1]) * groups
    return Layer(name, op, n_in, n_out, cast(Any, grid), cast(Any, kernel_size), groups)


def op_name(node: fx.Node) -> str:
    """``"conv2d"`` for ``aten.conv2d.default``; one of several results is called as the op that gives it."""
    if WRITTEN in node.meta:
        return node.meta[WRITTEN]
    if node.target is operator.getitem:
        return op_name(cast(fx.Node, node.args[0]))
    parts = str(node.target).split(".")
    name = parts[1] if len(parts) > 1 else getattr(node.target, "__name__", parts[0])
    return "batch_norm" if "batch_norm" in name else name


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
