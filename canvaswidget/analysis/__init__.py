"""The findings of XINC, and how far maps can be trusted: functions of a canvas that give plain arrays.

Each result prints well and draws itself. A function of a canvas takes a `canvaswidget.Runs`, too, or any mapping of
canvases, and then gives an `OverRuns`.

Examples
--------
>>> import canvaswidget as cw
>>> canvas = cw.trace(cw.demo.video())  # doctest: +SKIP
>>> cw.analysis.distribution(canvas, "decoder.2", frame=8).plot()  # doctest: +SKIP
"""

from canvaswidget.analysis import partitions
from canvaswidget.analysis.carrying import carry
from canvaswidget.analysis.clustering import Clusters, Exemplars, cluster, exemplars, group
from canvaswidget.analysis.deletion import Deletion, deletion
from canvaswidget.analysis.derivatives import Derivatives, derivatives
from canvaswidget.analysis.directions import Directions, directions
from canvaswidget.analysis.distribution import Distribution, distribution
from canvaswidget.analysis.embedding import Embedding, embed
from canvaswidget.analysis.faithfulness import Faithfulness, completeness, faithfulness
from canvaswidget.analysis.frequency_shares import FrequencyShares, frequency_shares
from canvaswidget.analysis.intensity import Intensity, intensity
from canvaswidget.analysis.intervals import Interval
from canvaswidget.analysis.matching import Matching, match
from canvaswidget.analysis.motion import Motion, motion, optical_flow
from canvaswidget.analysis.objects import Objects, objects
from canvaswidget.analysis.objects_over_time import ObjectsOverTime, objects_over_time
from canvaswidget.analysis.over_runs import Mean, OverRuns
from canvaswidget.analysis.profile import LayerProfile, Profile, profile
from canvaswidget.analysis.pruning import Pruning, prune, pruning
from canvaswidget.analysis.quantisation import Quantisation, quantisation
from canvaswidget.analysis.quantisation_loss import QuantisationLoss, quantisation_loss
from canvaswidget.analysis.quantise import quantise
from canvaswidget.analysis.rate_distortion import Curve, RateDistortion, rate_distortion
from canvaswidget.analysis.regions import Regions, regions
from canvaswidget.analysis.spectral_bias import SpectralBias, spectral_bias
from canvaswidget.analysis.spectrum import Spectrum, spectrum
from canvaswidget.analysis.stability import Stability, stability
from canvaswidget.analysis.training import Training, training
from canvaswidget.analysis.vectors import Vectors, vectors

__all__ = [
    "Clusters",
    "Curve",
    "Deletion",
    "Derivatives",
    "Directions",
    "Distribution",
    "Embedding",
    "Exemplars",
    "Faithfulness",
    "FrequencyShares",
    "Intensity",
    "Interval",
    "LayerProfile",
    "Matching",
    "Mean",
    "Motion",
    "Objects",
    "ObjectsOverTime",
    "OverRuns",
    "Profile",
    "Pruning",
    "Quantisation",
    "QuantisationLoss",
    "RateDistortion",
    "Regions",
    "SpectralBias",
    "Spectrum",
    "Stability",
    "Training",
    "Vectors",
    "carry",
    "cluster",
    "completeness",
    "deletion",
    "derivatives",
    "directions",
    "distribution",
    "embed",
    "exemplars",
    "faithfulness",
    "frequency_shares",
    "group",
    "intensity",
    "match",
    "motion",
    "objects",
    "objects_over_time",
    "optical_flow",
    "partitions",
    "profile",
    "prune",
    "pruning",
    "quantisation",
    "quantisation_loss",
    "quantise",
    "rate_distortion",
    "regions",
    "spectral_bias",
    "spectrum",
    "stability",
    "training",
    "vectors",
]
