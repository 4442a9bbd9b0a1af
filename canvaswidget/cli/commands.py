"""What each command does: results to standard output, progress to standard error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from torch import nn

from canvaswidget import media
from canvaswidget.analysis import faithfulness, prune
from canvaswidget.analysis.deletion import psnr
from canvaswidget.analysis.least_contributing import spread_frames
from canvaswidget.cli.errors import UsageError
from canvaswidget.cli.model import progress_of, read_canvas, read_inr
from canvaswidget.cli.notebook import show, write_notebook
from canvaswidget.fitting.families import model_for
from canvaswidget.fitting.fit import fit
from canvaswidget.inr.factories import is_called, is_factory, named
from canvaswidget.models import FFN, SIREN, NeRV, save_model
from canvaswidget.reporting.report import report
from canvaswidget.surveys import estimate_survey, survey
from canvaswidget.tracing import CanvasLike, trace
from canvaswidget.tracing.results import Coverage
from canvaswidget.widget import CanvasWidget

FIGURE = ("layer", "time", "pixel", "neuron", "source", "maps", "palette")
ANIMATION = ("layer", "pixel", "neuron", "source", "maps", "palette")


def _check_free(options: Any) -> None:
    """Raise where the file to write is there and may not be replaced, or where its folder is not."""
    if options.output.exists() and not options.overwrite:
        raise FileExistsError(f"{options.output}: exists; say --overwrite to replace it")
    _check_folder(options.output)


def _check_folder(output: Path) -> None:
    if not output.parent.is_dir():
        raise FileNotFoundError(f"{output}: there is no folder {str(output.parent)!r}")


def run_fit(options: Any) -> None:
    """Train a model, and print where its weights are."""
    output: Path = options.output
    _check_free(options)
    clip = media.read(options.signal, options.size, options.frames)
    model = _model_for(options.model, clip)
    result = fit(
        model,
        clip,
        epochs=options.epochs,
        steps=options.steps,
        seconds=options.seconds,
        lr=options.lr,
        seed=options.seed,
        device=options.device,
        progress=progress_of(options),
    )
    save_model(result.model, output)
    print(result)
    print(output, flush=True)
    if result.cancelled:
        raise KeyboardInterrupt  # what was reached is written; that it is not all, the exit code says


def run_trace(options: Any) -> None:
    """Print the layers, a pixel's neurons, the checks; keep the canvas."""
    canvas = read_canvas(options)
    frame = options.frame
    if frame is None:
        frame = canvas.frames[0]
    if options.estimate and options.save is None:
        raise UsageError("--estimate: of what --save would write; give a path to it")
    if options.pixel is not None:
        print(canvas.top(*options.pixel, k=options.top, frame=frame, progress=progress_of(options)))
    if options.check:
        print(_live(canvas, "--check").check(frame, progress=progress_of(options)))
    if options.save is not None:
        saving = _live(canvas, "--save").save(
            options.save,
            layers=_numbered(options.layers),
            frames=None if options.frames is None else range(canvas.inr.n_frames)[options.frames],
            maps=options.maps,
            accuracy=options.accuracy,
            overwrite=options.overwrite,
            estimate=options.estimate,
            progress=progress_of(options),
        )
        print(saving)
        if not options.estimate:
            print(saving.path)
    if options.pixel is None and not options.check and options.save is None:
        print(canvas)
        if canvas.has_model:
            print(canvas.traced_layers)
            print(Coverage(list(canvas.coverage()), canvas.why).note)


def run_report(options: Any) -> None:
    """Write every finding, and print where they are."""
    inr = read_inr(options.model, options.truth, options.n_frames, options.size)
    canvas = trace(inr, options.rule, options.device, options.memory, progress=progress_of(options))
    masks = None if options.masks is None else media.read_masks(options.masks)
    written = report(
        canvas,
        options.folder,
        options.frame,
        _numbered(options.layers),
        masks=masks,
        accuracy=options.accuracy,
        progress=progress_of(options),
    )
    print(written.page)
    for path in (*written.figures, *written.arrays):
        print(path)


def run_figure(options: Any) -> None:
    """Write one view, and print where it is."""
    _check_folder(options.output)
    state = {name: getattr(options, name) for name in FIGURE if getattr(options, name) is not None}
    if "layer" in state:
        state["layer"] = _numbered([state["layer"]])[0]
    widget = CanvasWidget(read_canvas(options), **state)
    try:
        widget.save(
            options.output,
            options.width,
            options.dpi,
            panels=options.panels,
            frames=None if options.frames is None else range(widget.facts.n_frames)[options.frames],
            progress=progress_of(options),
        )
    finally:
        widget.close()
    print(options.output)


def run_animation(options: Any) -> None:
    """Write the frame view of a clip as an animation, and print where it is."""
    _check_folder(options.output)
    state = {name: getattr(options, name) for name in ANIMATION if getattr(options, name) is not None}
    if "layer" in state:
        state["layer"] = _numbered([state["layer"]])[0]
    widget = CanvasWidget(read_canvas(options), **state)
    try:
        chosen = range(widget.facts.n_frames)[options.frames or slice(None)]
        if not chosen or chosen.step != 1:
            raise UsageError("--frames: an animation takes frames without gaps, such as 0:32")
        widget.animation(options.output, chosen[0], chosen[-1], options.fps, progress=progress_of(options))
    finally:
        widget.close()
    print(options.output)


def run_faithfulness(options: Any) -> None:
    """Print how well a rule agrees with ablation on each layer."""
    inr = read_inr(options.model, options.truth, options.n_frames, options.size)
    canvas = trace(inr, options.rule, options.device, options.memory, progress=progress_of(options))
    chosen = _numbered(options.layers) or [layer.name for layer in canvas.traced_layers]
    for place, layer in enumerate(chosen):
        found = faithfulness(
            canvas,
            layer,
            options.frame,
            half_width=options.half_width,
            at_most=options.at_most,
            seed=options.seed,
            progress=progress_of(options),
        )
        print(*([""] if place else []), found, sep="\n", flush=True)


def run_prune(options: Any) -> None:
    """Write a model without the neurons that contribute least, and print what that changes and where it is."""
    _check_free(options)
    inr = read_inr(options.model, options.truth, options.n_frames, options.size)
    if not isinstance(inr.module, FFN | SIREN | NeRV):
        raise UsageError(
            f"{options.model}: a file holds an FFN, a SIREN or a NeRV, not {type(inr.module).__name__}. Prune others "
            "with canvaswidget.prune in Python, and save their weights yourself"
        )
    canvas = trace(inr, options.rule, options.device, options.memory, progress=progress_of(options))
    pruned = prune(
        inr,
        canvas,
        share=options.share,
        layers=_numbered(options.layers),
        granularity=options.granularity,
        accuracy=options.accuracy,
        frames=None if options.frames is None else range(inr.n_frames)[options.frames],
        progress=progress_of(options),
    )
    save_model(pruned.module, options.output)
    frames = spread_frames(inr.n_frames)
    before, after = ([one.frame(frame) for frame in frames] for one in (canvas, pruned))
    changed = media.mean_psnr(list(map(psnr, after, before)))
    layers = " and ".join(map(str, options.layers or ["each layer"]))
    print(f"{pruned}: {options.share:.0%} of the neurons of {layers} removed")
    print(f"PSNR against the model before: {changed:.2f} dB, mean over frames {', '.join(map(str, frames))}")
    if inr.truth is not None:
        truth = [inr.truth[frame] for frame in frames]
        losses = [media.mean_psnr(list(map(psnr, images, truth))) for images in (before, after)]
        print(f"PSNR against the truth: {losses[0]:.2f} dB before, {losses[1]:.2f} dB after")
    print(options.output)


def run_survey(options: Any) -> None:
    """Do a survey, or tell what it would take."""
    what = None if options.what is None else dict(map(_measurement, options.what))
    given = {name: getattr(options, name) for name in ("retry", "workers", "device", "memory")}
    if options.dry_run:
        print(estimate_survey(options.jobs, options.store, what, **given))
        return
    runs = survey(
        options.jobs,
        options.store,
        options.engine,
        what,
        attempts=options.attempts,
        progress=progress_of(options),
        **given,
    )
    print(runs)
    print(options.store, flush=True)
    if runs.errors:
        raise RuntimeError(f"{len(runs.errors)} of {len(runs)} jobs failed; the table says why")


def _measurement(text: str) -> tuple[str, dict[str, Any]]:
    """A name, or ``name={"option": value}``."""
    name, _, options = text.partition("=")
    if not options:
        return name, {}
    try:
        found = json.loads(options)
    except ValueError as error:
        raise UsageError(f'--what {text}: expected name={{"option": value}} as JSON ({error})') from None
    if not isinstance(found, dict):
        raise UsageError(f"--what {text}: expected options in braces")
    return name, found


def run_view(options: Any) -> None:
    """Open a notebook about a model."""
    text, folder = options.model, str(Path.cwd())
    keywords = {"rule": options.rule}
    keywords |= {"device": None if options.device == "auto" else options.device}
    keywords |= {"memory": None if options.memory == "1 GiB" else options.memory}
    if is_factory(text):
        module, _, name = text.partition(":")
        if options.n_frames or options.size:
            raise UsageError(
                "--n-frames and --size are for files of weights; let your function return an INR"
            )
        lines = ["import sys", "", f"sys.path.insert(0, {folder!r})", f"import {module}", ""]
        found = f"{module}.{name}"
        model = f"{found}()" if is_called(named(text)) else found
        if options.truth is not None:
            lines.append(f"truth = cw.media.read({str(Path(options.truth).resolve())!r})")
            keywords["truth"] = "truth.frames"
    else:
        lines = []
        if not Path(text).exists():
            read_inr(text, None, None, None)  # says what is expected
        path = str(Path(text).resolve())
        given = {
            "truth": None if options.truth is None else str(Path(options.truth).resolve()),
            "n_frames": options.n_frames,
            "size": options.size,
        }
        if Path(text).is_dir():
            read_canvas(options)  # whether it can be opened shows here, not in the notebook
            model, keywords = f"cw.open({path!r})", {}
        else:
            read_inr(text, options.truth, options.n_frames, options.size)
            model = f"cw.load({', '.join([repr(path), *_named_values(given)])})"
    _open(options, model, lines, keywords, Path(text.replace(":", ".")).stem)


def run_demo(options: Any) -> None:
    """Open a notebook about the demo."""
    _open(options, f"cw.demo.{options.which}()", [], {}, f"demo_{options.which}")


# --- within -------------------------------------------------------------------------------------------------


def _open(options: Any, model: str, lines: list[str], keywords: dict[str, Any], name: str) -> None:
    told = [f"{key}={value if key == 'truth' else repr(value)}" for key, value in keywords.items() if value]
    path = write_notebook(options.folder, name, model, lines, told)
    if options.write_only:
        print(path)
        return
    show(path, options.port, not options.no_browser, lambda message: _tell(options, message))


def _named_values(given: dict[str, Any]) -> list[str]:
    return [f"{name}={value!r}" for name, value in given.items() if value is not None]


def _tell(options: Any, message: str) -> None:
    if not options.quiet:
        print(message, file=sys.stderr)


def _live(canvas: CanvasLike, option: str) -> CanvasLike:
    if not canvas.has_model:
        raise UsageError(f"{option}: takes a model, and {canvas.path} is a saved canvas")
    return canvas


def _numbered(layers: list[str] | None) -> Any:
    """Layers by name, or by number where it is one; None for all."""
    return layers and [int(one) if one.lstrip("-").isdecimal() else one for one in layers]


def _model_for(name: str | None, clip: media.Clip) -> nn.Module:
    """A new model of a kind that a file can hold."""
    try:
        found = model_for(name or ("ffn" if clip.n_frames == 1 else "nerv"), clip)
    except ValueError as error:
        hint = "; see --size" if "size" in str(error) else ""
        raise UsageError(f"--{error}{hint}") from error
    if not isinstance(found, FFN | SIREN | NeRV):
        raise UsageError(
            f"--model {name}: gave {type(found).__name__}; a file holds an FFN, a SIREN or a NeRV. Train others with "
            "canvaswidget.fit in Python, and save their weights yourself"
        )
    return found
