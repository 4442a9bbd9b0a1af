"""The command line's language: what can be said, and help that teaches it."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Any

from canvaswidget.cli.values import accuracy, at_most, frames, maps, neuron, pixel, size
from canvaswidget.version import __version__

# Named here, not imported: help comes at once, without torch and Matplotlib. A test compares them.
RULES = ("xinc", "gated", "ablation")
PANELS = ("frame", "pixel", "region", "spectrum", "maps", "neurons", "shares", "time", "scatter")

MODEL = (
    "weights of an FFN, SIREN or NeRV (.safetensors, .pt, .ckpt), or module:function of yours that returns an INR or "
    "one of these models; modules of the current folder can be named"
)
SAVED = MODEL + "; or a saved canvas (.zarr)"


def make_parser() -> argparse.ArgumentParser:
    """The parser; `canvaswidget.cli.commands` does what a command says."""
    parser = argparse.ArgumentParser(
        prog="canvaswidget",
        description="See which neurons of an implicit neural representation make which pixels.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_examples(
            "canvaswidget demo                                     # look around, in JupyterLab",
            "canvaswidget fit clip.mp4 --output clip.safetensors   # a model of your own video",
            "canvaswidget view clip.safetensors --truth clip.mp4   # the same view of it",
            "canvaswidget trace clip.safetensors --pixel 60,100    # what makes a pixel, as a table",
        )
        + "\nexit codes: 0 done, 1 it failed, 2 a mistake in what was asked for, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"canvaswidget {__version__}")
    parser.set_defaults(debug=False)
    several = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    _fit(several)
    _trace(several)
    _report(several)
    _faithfulness(several)
    _prune(several)
    _figure(several)
    _animation(several)
    _survey(several)
    _view(several)
    _demo(several)
    return parser


# --- the commands -------------------------------------------------------------------------------------------


def _fit(several: Any) -> None:
    parser = _command(
        several,
        "fit",
        "train a model to be an image or a video",
        "Train a reference model, or one of your own, to be an image, a video or a folder of images, and write its "
        "weights. Ctrl-C ends the training early and keeps the best weights until then.",
        "canvaswidget fit photo.png --output photo.safetensors",
        "canvaswidget fit clip.mp4 --size 128x256 --frames 0:32 --seconds 300 --output clip.safetensors",
        "canvaswidget fit photo.png --model siren --epochs 500 --output photo.safetensors",
    )
    parser.add_argument("signal", help="an image, a video or a folder of images")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, help="where to write the weights (.safetensors)"
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="ffn (an image, by default), siren, nerv (a video, by default), or module:function that returns one "
        "of these reference models",
    )
    parser.add_argument("--size", type=size, metavar="HxW", help="resize the signal, such as 128x256")
    parser.add_argument(
        "--frames", type=frames, metavar="A:B", help="use these frames, such as 0:32 or 0:128:4"
    )
    length = parser.add_argument_group("how long (300 epochs where nothing is said; whichever ends first)")
    length.add_argument("--epochs", type=float, help="passes over the signal")
    length.add_argument("--steps", type=int, help="optimiser steps")
    length.add_argument("--seconds", type=float, help="on the clock")
    parser.add_argument("--lr", type=float, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ...")
    parser.add_argument("--overwrite", action="store_true", help="replace the file where it exists")


def _trace(several: Any) -> None:
    parser = _command(
        several,
        "trace",
        "what is traced of a model, what makes a pixel; save the canvas",
        "Without options, print the layers and how they are traced. With --pixel, print the neurons that contribute "
        "most to it. With --check, try what must hold on this model. With --save, keep totals, frames and chosen maps "
        "in a folder of Zarr arrays, which needs no model to be looked at.",
        "canvaswidget trace clip.safetensors",
        "canvaswidget trace clip.safetensors --pixel 60,100 --frame 8 --top 10",
        "canvaswidget trace clip.safetensors --rule gated --check",
        "canvaswidget trace clip.safetensors --save clip.zarr --frames 0:8 --maps 32",
        "canvaswidget trace clip.zarr --pixel 64,128",
    )
    _model(parser, SAVED)
    parser.add_argument("--frame", type=int, help="what --pixel and --check are about; 0 by default")
    parser.add_argument("--pixel", type=pixel, metavar="Y,X", help="print the neurons that make it")
    parser.add_argument("--top", type=int, default=20, metavar="K", help="how many of them (20)")
    parser.add_argument("--check", action="store_true", help="try the invariants of the rule on the model")
    saving = parser.add_argument_group("to keep the canvas")
    saving.add_argument("--save", type=Path, metavar="PATH", help="where to write it (.zarr)")
    saving.add_argument("--layers", nargs="+", metavar="LAYER", help="these only")
    saving.add_argument("--frames", type=frames, metavar="A:B", help="these only")
    saving.add_argument("--maps", type=maps, default=8, metavar="N", help="maps a layer, or all (8)")
    _accuracy(saving)
    saving.add_argument("--overwrite", action="store_true", help="replace a saved canvas")
    saving.add_argument(
        "--estimate", action="store_true", help="print the size and the time, and write nothing"
    )


def _report(several: Any) -> None:
    parser = _command(
        several,
        "report",
        "every finding: figures, arrays and a page",
        "Compute every finding that the inputs allow, and write figures (PDF), arrays (npz) and a self-contained page.",
        "canvaswidget report clip.safetensors out/ --frame 8",
        "canvaswidget report photo.safetensors out/ --truth photo.png --masks objects.png --rule gated",
    )
    _model(parser, MODEL)
    parser.add_argument("folder", type=Path, help="where to write; made if it is not there")
    parser.add_argument("--frame", type=int, default=0, help="what the findings are about (0)")
    parser.add_argument("--layers", nargs="+", metavar="LAYER", help="these only")
    parser.add_argument(
        "--masks", metavar="PATH", help="objects: label maps, an image or a folder of one a frame"
    )
    _accuracy(parser)


def _figure(several: Any) -> None:
    parser = _command(
        several,
        "figure",
        "a view as a figure, or as a page that works offline",
        "Write one view: PDF, SVG or PNG for a paper; HTML for a live page that needs no kernel.",
        "canvaswidget figure clip.safetensors view.pdf --layer decoder.2 --frame 8 --pixel 60,100",
        "canvaswidget figure photo.safetensors view.png --layer net.1 --neuron 17 --maps signed --width 3.3",
        "canvaswidget figure clip.zarr view.svg",
    )
    _model(parser, SAVED)
    parser.add_argument("output", type=Path, help="ends in .pdf, .svg, .png or .html")
    parser.add_argument("--layer", help="by name, a unique part of it, or its number")
    parser.add_argument("--time", "--frame", type=int, help="the frame; the middle one by default")
    parser.add_argument("--pixel", type=pixel, metavar="Y,X", help="the middle one by default")
    parser.add_argument(
        "--neuron", type=neuron, metavar="N", help="a unit such as 17, or a kernel such as 3,17"
    )
    parser.add_argument("--source", choices=["reconstruction", "truth", "error", "off"], help="under the map")
    parser.add_argument("--maps", choices=["magnitude", "signed"])
    parser.add_argument("--palette", help="of magnitudes, such as viridis or magma")
    parser.add_argument("--width", type=float, help="of a figure, in inches (6.6)")
    parser.add_argument("--dpi", type=float, help="of a PNG (300)")
    parser.add_argument(
        "--panels", nargs="+", choices=PANELS, metavar="PANEL", help="of a figure: " + ", ".join(PANELS)
    )
    parser.add_argument(
        "--frames",
        type=frames,
        metavar="A:B",
        help="that a page keeps (all), or that a figure's curve of time has (at most 32)",
    )


def _animation(several: Any) -> None:
    parser = _command(
        several,
        "animation",
        "the frame view of a clip as an animation",
        "Write the frame with the contribution of the layer or of one neuron over it, frame after frame, on one scale.",
        "canvaswidget animation clip.safetensors clip.mp4 --layer decoder.2 --frames 0:32",
        "canvaswidget animation clip.safetensors clip.gif --layer decoder.3 --neuron 5,38 --fps 12",
    )
    _model(parser, SAVED)
    parser.add_argument("output", type=Path, help="ends in .mp4 or .gif")
    parser.add_argument("--layer", help="by name, a unique part of it, or its number")
    parser.add_argument("--frames", type=frames, metavar="A:B", help="these only")
    parser.add_argument("--fps", type=float, help="frames a second")
    parser.add_argument("--pixel", type=pixel, metavar="Y,X", help="the middle one by default")
    parser.add_argument(
        "--neuron", type=neuron, metavar="N", help="a unit such as 17, or a kernel such as 3,17"
    )
    parser.add_argument("--source", choices=["reconstruction", "truth", "error", "off"], help="under the map")
    parser.add_argument("--maps", choices=["magnitude", "signed"])
    parser.add_argument("--palette", help="of magnitudes, such as viridis or magma")


def _faithfulness(several: Any) -> None:
    parser = _command(
        several,
        "faithfulness",
        "how well a rule agrees with ablation",
        "Ablate neurons of each layer, and print how the change of the image ranks them beside the rule.",
        "canvaswidget faithfulness clip.safetensors --layers decoder.3 --frame 8",
        "canvaswidget faithfulness photo.safetensors --rule gated --at-most 200",
    )
    _model(parser, MODEL)
    parser.add_argument("--frame", type=int, default=0, help="which frame is rendered (0)")
    parser.add_argument("--layers", nargs="+", metavar="LAYER", help="these only")
    parser.add_argument(
        "--half-width",
        type=float,
        default=0.05,
        help="half of the 95%% interval at which a layer is done (0.05)",
    )
    parser.add_argument(
        "--at-most",
        type=at_most,
        default="auto",
        metavar="N",
        help="neurons of a layer to ablate, or 'all'; by default 256 where all would take more than 10 s",
    )
    parser.add_argument("--seed", type=int, default=0)


def _prune(several: Any) -> None:
    parser = _command(
        several,
        "prune",
        "remove the neurons that contribute least",
        "Set the weights of the neurons with the smallest totals to zero, and write the model.",
        "canvaswidget prune clip.safetensors small.safetensors --share 0.2 --layers decoder.3",
        "canvaswidget prune photo.safetensors small.safetensors --share 0.1 --rule gated",
    )
    _model(parser, MODEL)
    parser.add_argument("output", type=Path, help="where to write the weights (.safetensors)")
    parser.add_argument("--share", type=float, required=True, help="of each layer, such as 0.1")
    parser.add_argument("--layers", nargs="+", metavar="LAYER", help="these only")
    parser.add_argument("--granularity", choices=["unit", "kernel"], default="unit")
    parser.add_argument("--frames", type=frames, metavar="A:B", help="whose totals count")
    parser.add_argument("--overwrite", action="store_true", help="replace the file where it exists")
    _accuracy(parser)


def _survey(several: Any) -> None:
    parser = _command(
        several,
        "survey",
        "measure many networks, into one store",
        "Make the network of each row of a table, or of each file of weights that a pattern names; measure it, and "
        "keep all results in one store, which canvaswidget.open reads. What is in the store is not done again.",
        "canvaswidget survey jobs.csv survey.zarr",
        "canvaswidget survey 'weights/*.safetensors' survey.zarr --what psnr totals faithfulness",
        "canvaswidget survey jobs.csv survey.zarr --engine tcp://10.0.0.1:8786 --retry failed",
        "canvaswidget survey jobs.csv survey.zarr --dry-run",
    )
    parser.add_argument(
        "jobs",
        help="a table (.csv) with the columns name, weights, truth, rule, seed, fit.model, fit.steps, ...; all others "
        "are parameters. Or a pattern of weights",
    )
    parser.add_argument(
        "store", help="where results go (.zarr), a folder or an address such as s3://bucket/s.zarr"
    )
    parser.add_argument(
        "--what",
        nargs="+",
        metavar="NAME",
        help="psnr, ssim, totals, canvas, weights, findings by name, or module:function of yours; with options as "
        "JSON: 'faithfulness={\"at_most\": 64}' (psnr ssim totals faithfulness canvas)",
    )
    parser.add_argument(
        "--engine", metavar="ADDRESS", help="of a Dask scheduler; by default processes of this machine"
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes of this machine (one a GPU or a core); with --engine, jobs at a time",
    )
    parser.add_argument(
        "--retry", nargs="+", choices=["failed", "changed"], default=[], help="do these jobs again"
    )
    parser.add_argument(
        "--attempts",
        type=int,
        default=3,
        metavar="N",
        help="how often a job is started whose worker dies (3)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="do one job, keep nothing, and tell jobs, seconds and bytes of all",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ...")
    parser.add_argument("--memory", default="1 GiB", help="for maps and frames, of each job (1 GiB)")


def _view(several: Any) -> None:
    parser = _command(
        several,
        "view",
        "open a model in a notebook",
        "Write a notebook that shows the model, and open it in JupyterLab. Ctrl-C ends it.",
        "canvaswidget view clip.safetensors --truth clip.mp4",
        "canvaswidget view mymodels:street --rule gated",
        "canvaswidget view clip.zarr --folder notebooks --no-browser",
    )
    _model(parser, SAVED)
    _notebook(parser)


def _demo(several: Any) -> None:
    parser = _command(
        several,
        "demo",
        "open the demo in a notebook",
        "Open a small trained video, or an image, that comes with the package.",
        "canvaswidget demo",
        "canvaswidget demo image --no-browser",
    )
    parser.add_argument("which", nargs="?", choices=["video", "image"], default="video")
    _notebook(parser)


# --- what several of them take ------------------------------------------------------------------------------


def _command(several: Any, name: str, short: str, long: str, *examples: str) -> argparse.ArgumentParser:
    parser = several.add_parser(
        name,
        help=short,
        description=textwrap.fill(long, 80),
        epilog=_examples(*examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="no progress; there is none in a pipe anyway"
    )
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")
    return parser


def _model(parser: argparse.ArgumentParser, words: str) -> None:
    parser.add_argument("model", help=words)
    group = parser.add_argument_group("the model")
    group.add_argument(
        "--truth", metavar="PATH", help="what it encodes: an image, a video or a folder of images"
    )
    group.add_argument(
        "--n-frames", type=int, metavar="N", help="where neither the file nor --truth tells it"
    )
    group.add_argument("--size", type=size, metavar="HxW", help="of a frame, where nothing tells it")
    group.add_argument("--rule", choices=RULES, help="how a contribution is defined")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, ...")
    group.add_argument("--memory", default="1 GiB", help="working memory of a pass over a layer (1 GiB)")


def _accuracy(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--accuracy",
        type=accuracy,
        default="auto",
        help="of estimates, such as 0.05; 'exact' for none; by default 0.05 where exact numbers take more than 10 s",
    )


def _notebook(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder", type=Path, help="where to write the notebook; a temporary folder by default"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open nothing")
    parser.add_argument(
        "--write-only", action="store_true", help="write the notebook, print its path, start nothing"
    )
    parser.add_argument("--port", type=int, help="of JupyterLab; a free one by default")


def _examples(*lines: str) -> str:
    return "examples:\n" + "\n".join(f"  {line}" for line in lines) + "\n"
