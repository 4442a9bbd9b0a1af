"""The findings of XINC: each a function of a canvas that gives plain arrays, prints well, and draws itself.

>>> import canvaswidget as cw
>>> canvas = cw.trace(cw.demo.video())  # doctest: +SKIP
>>> cw.analysis.distribution(canvas, "decoder.2", frame=8).plot()  # doctest: +SKIP
"""

from canvaswidget.analysis.distribution import Distribution, distribution

__all__ = ["Distribution", "distribution"]
