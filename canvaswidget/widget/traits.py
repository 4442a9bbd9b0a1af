"""The widget's traits, checked against the canvas's facts the moment that Python or the page sets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import traitlets

from canvaswidget.arguments import checked_index, show
from canvaswidget.kernel import ablation, quantisation, view_checks
from canvaswidget.kernel.facts import Facts
from canvaswidget.kernel.message_parts import ViewState
from canvaswidget.kernel.region import checked_region
from canvaswidget.kernel.region_list import checked_regions
from canvaswidget.kernel.region_list import on_wire as regions_on_wire
from canvaswidget.plotting.figures import palettes

Check = Callable[[Any, Any], Any]


class Checked(traitlets.TraitType[Any, Any]):
    """A trait whose value is what ``check(widget, value)`` returns.

    Every assignment is numbered, also of an equal value; see `SharedTraits`. Threads set one after the other, and a
    report of the page is taken as a whole; or it could be found new enough, and be set after what Python sets
    meanwhile. Observers are called before the next thread sets any, so none may wait for such a thread.
    """

    def __init__(self, check: Check, default: Any = None, **keywords: Any) -> None:
        super().__init__(default_value=default, **keywords)
        self._check = check
        self.tag(sync=True)

    def set(self, obj: Any, value: Any) -> None:
        """Set the trait, and send its number with it, before another thread may set any."""
        with obj._setting, obj.hold_sync():
            self.assign(obj, value)

    def assign(self, obj: Any, value: Any) -> None:
        """Set the trait, and what follows from it."""
        super().set(obj, value)
        obj._assigned(self.name)

    def validate(self, obj: Any, value: Any) -> Any:
        """Raise TypeError, ValueError, IndexError or KeyError, which name what is accepted."""
        return self._check(obj, value)


class LayerTrait(Checked):
    """A layer by name, unique part of it, or index.

    Neurons that the new layer hasn't are let go first, and a colour where its maps have none.
    """

    def __init__(self) -> None:
        super().__init__(lambda widget, value: widget.facts.layers.find(value).name, "")

    def assign(self, obj: Any, value: Any) -> None:
        """Set the trait."""
        name = self._validate(obj, value)
        layer = obj.facts.layers.find(name)
        fitting = tuple(neuron for neuron in obj.neurons if view_checks.fits(layer, neuron))
        if fitting != obj.neurons:
            obj.neurons = fitting
        if obj.channel != "sum" and obj.facts.why_no_colours[name]:
            obj.channel = "sum"
        super().assign(obj, name)


class NeuronTrait(Checked):
    """None, a unit or a kernel ``(i, o)`` of the current layer; setting it selects that one alone."""

    def __init__(self) -> None:
        super().__init__(
            lambda w, v: view_checks.checked_neuron(w.facts.layers.find(w.layer), v), allow_none=True
        )
        self.tag(to_json=lambda value, _: view_checks.on_wire(value))

    def assign(self, obj: Any, value: Any) -> None:
        """Set the trait."""
        neuron = self._validate(obj, value)
        with obj.hold_trait_notifications():
            super().assign(obj, neuron)
            if not obj.neurons or obj.neurons[-1] != neuron:
                obj.neurons = () if neuron is None else (neuron,)


class NeuronsTrait(Checked):
    """The selected neurons of the current layer; the last of them is `neuron`."""

    def __init__(self) -> None:
        def check(widget: Any, value: Any) -> Any:
            empty = value is None or (isinstance(value, list | tuple) and not value)
            return () if empty else view_checks.checked_neurons(widget.facts.layers.find(widget.layer), value)

        super().__init__(check, ())
        self.tag(to_json=lambda value, _: [view_checks.on_wire(neuron) for neuron in value])

    def assign(self, obj: Any, value: Any) -> None:
        """Set the trait."""
        neurons = self._validate(obj, value)
        with obj.hold_trait_notifications():
            super().assign(obj, neurons)
            last = neurons[-1] if neurons else None
            if obj.neuron != last:
                obj.neuron = last


class EditedTrait(Checked):
    """Neurons that are ablated or scaled; `source` follows when there come to be some, or none."""

    def assign(self, obj: Any, value: Any) -> None:
        """Set the trait."""
        edited = self._validate(obj, value)
        with obj.hold_trait_notifications():
            was = bool(obj.ablated or obj.edits)
            super().assign(obj, edited)
            if edited and not was:
                obj.source = "ablated"
            elif not (obj.ablated or obj.edits) and obj.source in ablation.SOURCES:
                obj.source = "reconstruction"


def ablated_trait() -> Checked:
    """The neurons that are taken out."""
    trait = EditedTrait(lambda widget, value: ablation.checked_ablated(widget.facts.removable, value), {})
    return trait.tag(to_json=lambda value, _: ablation.on_wire(value))


def edits_trait() -> Checked:
    """The neurons that are scaled, and by what."""
    trait = EditedTrait(lambda widget, value: ablation.checked_edits(widget.facts.removable, value), {})
    return trait.tag(to_json=lambda value, _: ablation.edits_on_wire(value))


class CountTrait(Checked):
    """The number of clusters. A cluster beyond it is let go first."""

    def __init__(self) -> None:
        low, high = view_checks.MIN_CLUSTERS, view_checks.MAX_CLUSTERS
        super().__init__(lambda widget, value: view_checks.checked_count("n_clusters", value, low, high), 6)

    def assign(self, obj: Any, value: Any) -> None:
        """Set the trait."""
        count = self._validate(obj, value)
        if obj.cluster >= count:
            obj.cluster = -1
        super().assign(obj, count)


class RunTrait(Checked):
    """One of several networks by its key; the canvas is another one by the time it is set.

    The page sees the run and its layers at once, since `set` holds what is sent.
    """

    def __init__(self) -> None:
        super().__init__(lambda widget, value: widget._checked_run(value), None)

    def assign(self, obj: Any, value: Any) -> None:
        """Set the trait."""
        run = self._validate(obj, value)
        try:
            obj._use_run(run)
        finally:  # an observer of what follows may raise: the trait says which run is shown all the same
            super().assign(obj, obj.facts.run)


class CompareTrait(Checked):
    """A second network by its key; None for none."""

    def __init__(self) -> None:
        super().__init__(lambda widget, value: widget._checked_run(value, "compare"), None, allow_none=True)

    def assign(self, obj: Any, value: Any) -> None:
        """Set the trait."""
        run = self._validate(obj, value)
        obj._compare_with(run)
        super().assign(obj, run)


class RuleTrait(Checked):
    """A rule that the model can be traced under; the canvas is another one by the time it is set."""

    def __init__(self) -> None:
        super().__init__(lambda widget, value: widget._checked_rule(value), "")

    def assign(self, obj: Any, value: Any) -> None:
        """Set the trait."""
        rule = self._validate(obj, value)
        try:
            obj._use_rule(rule)
        finally:  # as of a run
            super().assign(obj, obj.facts.rule)


def pixel_trait() -> Checked:
    """None or ``(y, x)``."""
    trait = Checked(
        lambda widget, value: view_checks.checked_pixel(value, widget.facts.size), allow_none=True
    )
    return trait.tag(to_json=lambda value, _: None if value is None else list(value))


def region_trait() -> Checked:
    """None or a `Region`, set in any of its forms."""
    trait = Checked(lambda widget, value: checked_region(value, widget.facts.size), allow_none=True)
    return trait.tag(to_json=lambda value, _: None if value is None else value.on_wire())


def regions_trait() -> Checked:
    """Regions by name."""
    trait = Checked(
        lambda widget, value: checked_regions(value, widget.facts.size, widget.facts.n_frames), {}
    )
    return trait.tag(to_json=lambda value, _: regions_on_wire(value))


def time_trait() -> Checked:
    """A frame."""
    return Checked(lambda widget, value: checked_index("time", value, widget.facts.n_frames), 0)


def loop_trait() -> Checked:
    """None or the ``(first, last)`` frame that play."""
    trait = Checked(
        lambda widget, value: view_checks.checked_loop(value, widget.facts.n_frames), allow_none=True
    )
    return trait.tag(to_json=lambda value, _: None if value is None else list(value))


def cluster_trait() -> Checked:
    """A cluster, or -1 for all."""
    return Checked(
        lambda widget, value: view_checks.checked_count("cluster", value, -1, widget.n_clusters - 1), -1
    )


def names_trait() -> Checked:
    """Names of clusters."""
    return Checked(lambda _, value: view_checks.checked_names(value), {})


def palette_trait() -> Checked:
    """The name of a palette."""
    return Checked(lambda _, value: view_checks.checked_choice("palette", value, palettes().names), "viridis")


def source_trait() -> Checked:
    """What is under the map.

    Truth and error need a truth, ablated and difference that neurons are ablated or scaled, quantisation weights.
    """

    def check(widget: Any, value: Any) -> str:
        source = view_checks.checked_choice("source", value, view_checks.CHOICES["source"])
        if source in ("truth", "error") and not widget.facts.has_truth:
            raise ValueError(
                f"source={source!r}: this INR has no truth; give truth=, an array of frames in [0, 1]"
            )
        if source in ablation.SOURCES and not (widget.ablated or widget.edits):
            raise ValueError(f"source={source!r}: nothing is ablated; set ablated or edits first")
        if source == quantisation.SOURCE and (why_not := widget.facts.quantisation["why_not"]):
            raise ValueError(f"source={source!r}: {why_not}")
        return source

    return Checked(check, "reconstruction")


def bits_trait() -> Checked:
    """Of each weight, under the source ``"quantisation"``."""
    return Checked(lambda _, value: quantisation.checked_bits(value), 4)


def overlay_trait() -> Checked:
    """What is over the frame; a change needs two frames."""

    def check(widget: Any, value: Any) -> str:
        overlay = view_checks.checked_choice("overlay", value, view_checks.CHOICES["overlay"])
        if overlay == "change" and widget.facts.n_frames < 2:
            raise ValueError("overlay='change': this INR has one frame, so nothing changes")
        return overlay

    return Checked(check, "selection")


def channel_trait() -> Checked:
    """The colour that is contributed to; some rules follow a layer to the sum of them only."""

    def check(widget: Any, value: Any) -> str:
        channel = view_checks.checked_choice("channel", value, view_checks.CHOICES["channel"])
        problem = "" if channel == "sum" else widget.facts.why_no_colours[widget.layer]
        if problem:
            raise ValueError(f"channel={channel!r}: {problem}; take channel='sum' or another rule")
        return channel

    return Checked(check, "sum")


def choice_trait(name: str, default: str) -> Checked:
    """One of a few words."""
    return Checked(
        lambda _, value: view_checks.checked_choice(name, value, view_checks.CHOICES[name]), default
    )


def flag_trait(name: str, default: bool) -> Checked:
    """True or false."""

    def check(widget: Any, value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError(f"{name}={show(value)}: expected True or False")
        return value

    return Checked(check, default)


def number_trait(name: str, default: float) -> Checked:
    """A number within its range."""
    return Checked(lambda _, value: view_checks.checked_number(name, value), default)


def band_trait() -> Checked:
    """None or ``(low, high)``, the frequencies of the map over the frame."""
    trait = Checked(lambda _, value: view_checks.checked_band(value), allow_none=True)
    return trait.tag(to_json=lambda value, _: None if value is None else list(value))


def limit_trait() -> Checked:
    """None, or the magnitude at which the colours of the frame's map end."""
    return Checked(lambda _, value: view_checks.checked_limit(value), allow_none=True)


# --- a view that a request states -------------------------------------------------------------------------------


def checked_state(
    given: ViewState, facts: Facts, names: Mapping[str, traitlets.TraitType[Any, Any]]
) -> dict[str, Any]:
    """A view as its traits would have it, in the order of `names`, whatever the widget's own are by now.

    Parameters
    ----------
    given : ViewState
    facts : Facts
        Those of the rule that the view names.
    names : dict
        The widget's traits by name: a neuron is checked after its layer.
    """
    stated = SimpleNamespace(facts=facts)
    for name, trait in names.items():
        value = given[name]
        if name not in ("run", "compare", "rule") and not (value is None and trait.allow_none):
            value = cast(Checked, trait).validate(stated, value)
        setattr(stated, name, value)
    del stated.facts
    return vars(stated)


def on_wire(widget: Any, state: Mapping[str, Any]) -> dict[str, Any]:
    """Values of traits as the page has them."""
    known = widget.traits()
    return {
        name: known[name].metadata.get("to_json", lambda value, _: value)(value, widget)
        for name, value in state.items()
    }
