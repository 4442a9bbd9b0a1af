"""The rules by name."""

from __future__ import annotations

import inspect
from typing import Any, cast, overload

from canvaswidget.arguments import show
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.rules.ablation import Ablation
from canvaswidget.tracing.rules.base import (
    BIASES,
    AdditiveRule,
    Rule,
    State,
    checked,
)
from canvaswidget.tracing.rules.gated.rule import Gated
from canvaswidget.tracing.rules.xinc.rule import Xinc

RULES: dict[str, Any] = {"xinc": Xinc, "gated": Gated, "ablation": Ablation}
_ACCEPTED = {"bias": BIASES, "border": ("released", "valid"), "fill": ("zero", "mean")}

__all__ = ["RULES", "AdditiveRule", "Rule", "State", "make_rule", "options_of"]


@overload
def make_rule(capture: Capture, name: str, options: dict[str, str]) -> Rule: ...
@overload
def make_rule(capture: None, name: str, options: dict[str, str]) -> None: ...
def make_rule(capture: Capture | None, name: str, options: dict[str, str]) -> Rule | None:
    """A rule on a captured model; without one only its name and options are checked.

    Raises
    ------
    ValueError
        No rule has this name, or the rule not that option.
    UntraceableError
        The rule is defined on no layer of the model.
    """
    if name not in RULES:
        raise ValueError(f"rule={show(name)}: expected one of {', '.join(map(repr, RULES))}")
    accepted = list(inspect.signature(RULES[name]).parameters)[1:]
    for option, value in options.items():
        if option not in accepted:
            raise ValueError(
                f"{option}={value!r}: rule {name!r} has no such option; it has {', '.join(accepted)}"
            )
        checked(name, option, value, _ACCEPTED[option])
    if capture is None:
        return None
    try:
        return cast(Rule, RULES[name](capture, **options))
    except UntraceableError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # A model that one rule can't be planned on still has the other rules.
        raise UntraceableError(
            f"rule={name!r}: the model could not be prepared for it: {type(error).__name__}: {error}. "
            "Another rule may be defined on it; please report this model"
        ) from error


def options_of(rule: Rule) -> dict[str, str]:
    """The options of a rule that are not what it takes by default."""
    given = list(inspect.signature(RULES[rule.name]).parameters.values())[1:]
    values = {option.name: getattr(rule, option.name) for option in given}
    return {option.name: values[option.name] for option in given if values[option.name] != option.default}
