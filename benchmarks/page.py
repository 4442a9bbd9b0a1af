"""Size of a saved page, and the time to write it, beside the same answers kept plainly; asserts nothing.

python benchmarks/page.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.run import describe_machine, nerv_bunny  # noqa: E402


def main() -> None:
    import canvaswidget as cw

    w = cw.CanvasWidget(nerv_bunny(), time=8)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        written = w.save(Path(folder, "page.html"), progress=False)
    seconds = time.perf_counter() - start
    assert written is not None
    (height, width), n_frames, n_layers = w.inr.size, w.inr.n_frames, len(w.facts.layers)
    selections = n_layers * (written.neurons + 2 * (1 + w.n_clusters)) + 1
    plain = 4 / 3 * n_frames * height * width * (3 + selections)
    w.close()
    print(
        f"nerv_bunny: {n_frames} frames of {height}x{width}, {n_layers} layers, {written.neurons} neurons of each,"
    )
    print(f"{w.n_clusters} clusters and the whole layer with and without signs. {describe_machine()}\n")
    print(f"{'page':44} {'size':>10}   against its baseline")
    print(f"{'frames and maps, 8-bit levels in base64':44} {plain / 1e6:7.1f} MB")
    row = f"{'saved page, ' + str(written.budget // 10**6) + ' MB budget':44} {written.bytes / 1e6:7.1f} MB"
    print(f"{row}   {plain / written.bytes:.3g} x smaller; written in {seconds:.0f} s")
    for what, size in written.parts.items():
        print(f"  {what + ' (estimated)':42} {size / 1e6:7.1f} MB")
    print(f"\nKept as: {written.quality}.")


if __name__ == "__main__":
    main()
