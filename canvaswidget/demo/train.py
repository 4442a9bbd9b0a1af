"""Train the demo's two networks: ``python -m canvaswidget.demo.train``.

Takes some minutes on a processor and writes ``video.safetensors``, ``image.safetensors`` and the folder ``training``,
with the weights of the image on its way, beside this file, or where ``--folder`` says.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch

from canvaswidget.demo.photographs import portrait
from canvaswidget.demo.scene import N_FRAMES, clip
from canvaswidget.fitting.fit import fit
from canvaswidget.fitting.result import Fit
from canvaswidget.models import FFN, NeRV, save_model
from canvaswidget.runs import Recorder
from canvaswidget.tracing import Canvas


def train_video(scale: float = 1.0) -> Fit:
    """Fit a NeRV of four convolutions to the demo's clip; `scale` shortens the training."""
    torch.manual_seed(0)
    model = NeRV(
        embed="pe_1.25_30", fc_dim=24, fc_hw="16_32", dec_strds=(2, 2, 2), reduce=1.2, n_frames=N_FRAMES
    )
    torch.nn.init.constant_(model.get_parameter("head_layer.bias"), 0.6)  # near the mean of a bright picture
    return fit(model, clip(), epochs=1000 * scale, lr=4e-3, batch_size=1)


def train_image(scale: float = 1.0) -> Fit:
    """Fit an FFN to the demo's image; `scale` shortens the training."""
    torch.manual_seed(0)
    return fit(FFN(hidden=104, scale=10.0), portrait(), epochs=200 * scale)


def train_with_snapshots(scale: float = 1.0) -> Fit:
    """Fit the demo's image, and keep the weights on the way."""
    torch.manual_seed(0)
    return fit(FFN(hidden=104, scale=10.0), portrait(), epochs=200 * scale, snapshots=SNAPSHOTS)


SNAPSHOTS = 14  # under 2 MB together
TRAINERS: dict[str, Callable[[float], Fit]] = {
    "image": train_image,
    "training": train_with_snapshots,
    "video": train_video,
}


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m canvaswidget.demo.train", description=__doc__)
    parser.add_argument("only", nargs="*", help=f"which to train: {', '.join(TRAINERS)}; all by default")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="where to write")
    parser.add_argument("--scale", type=float, default=1.0, help="length of training, 1 being the usual")
    parser.add_argument("--threads", type=int, help="processor threads")
    options = parser.parse_args(arguments)
    if unknown := set(options.only) - set(TRAINERS):
        parser.error(f"no such network: {', '.join(sorted(unknown))}; there are {', '.join(TRAINERS)}")
    if options.threads:
        torch.set_num_threads(options.threads)
    for name in options.only or TRAINERS:
        result = TRAINERS[name](options.scale)
        if name == "training":
            written = save_snapshots(result, options.folder / name)
        else:
            written = [save_model(result.model, options.folder / f"{name}.safetensors")]
        size = sum(path.stat().st_size for path in written) / 1e6
        print(f"{result}\nwritten to {written[-1]} ({size:.2f} MB)\n", flush=True)


def save_snapshots(result: Fit, folder: Path) -> list[Path]:
    """Write the weights that a fit kept on its way, as a `Recorder` does."""
    runs, recorder = result.runs, Recorder(folder, every=1)
    for step in runs.steps or []:
        recorder(step, cast(Canvas, runs[step]).inr.module, **runs.facts(step))
    return sorted(folder.glob("*.safetensors"))


if __name__ == "__main__":
    main()
