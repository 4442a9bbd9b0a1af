"""The findings of XINC: each a function of a canvas that gives plain arrays, prints well, and draws itself.

>>> import canvaswidget as cw
>>> canvas = cw.trace(cw.demo.video())  # doctest: +SKIP
>>> cw.analysis.distribution(canvas, "decoder.2", frame=8).plot()  # doctest: +SKIP
"""

from canvaswidget.analysis import partitions
from canvaswidget.analysis.distribution import Distribution, distribution
from canvaswidget.analysis.intensity import Intensity, intensity
from canvaswidget.analysis.motion import Motion, motion, optical_flow
from canvaswidget.analysis.objects import Objects, ObjectsOverTime, objects, objects_over_time
from canvaswidget.analysis.regions import Regions, regions

__all__ = [
    "Distribution",
    "Intensity",
    "Motion",
    "Objects",
    "ObjectsOverTime",
    "Regions",
    "distribution",
    "intensity",
    "motion",
    "objects",
    "objects_over_time",
    "optical_flow",
    "partitions",
    "regions",
]
