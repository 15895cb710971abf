"""Fitted variants that differ in a switch of a method, in one run or several: which make one panel, and where along x."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lensbench.errors import RunError, UsageError, unknown_name
from lensbench.jsonio import JsonObject
from lensbench.numbers.sweep_settings import flat_config, value_key
from lensbench.records.fit_card import FitCard
from lensbench.reporting.run_view import RunView
from lensbench.spec import BASE

__all__ = ["Setting", "Sweep", "find_sweeps", "layer_sweep", "read_settings"]

_NO_SWITCH = ("preset", "seed")


@dataclass(frozen=True)
class Setting:
    """A fitted variant of one run.

    Attributes:
        config: Every switch of the fit as its card has it; mappings are laid flat (`push_strength.zh`).
        start_layer: First changed block, counted from 1, as recorded; None where the method changes no block.
    """

    run: int
    variant: str
    config: JsonObject
    start_layer: int | None


@dataclass(frozen=True)
class Sweep:
    """Runs that are alike but for one switch.

    Attributes:
        points: (value, number of the run, variant), in the order along x.
        fixed: What the other switches that differ between the runs are held at.
    """

    field: str
    points: tuple[tuple[Any, int, str], ...]
    fixed: JsonObject

    @property
    def numeric(self) -> bool:
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value, _, _ in self.points)


def read_settings(runs: Sequence[RunView], variant: str | None = None) -> list[Setting]:
    """The fitted variants of every run.

    Args:
        variant: Its name, or a method's for all its variants; None takes all that a run has, if they are of one method.

    Raises:
        UsageError: a run without it, or with several methods to choose from; runs of unlike backbones.
        RunError: its card cannot be read.
    """
    backbones = {run.results.backbone for run in runs}
    if len(backbones) > 1:
        raise UsageError(f"runs of {len(backbones)} backbones do not make one sweep: {', '.join(sorted(backbones))}")
    return [setting for number, run in enumerate(runs) for setting in _settings(number, run, variant)]


def _settings(number: int, run: RunView, variant: str | None) -> list[Setting]:
    folder = run.folder
    fitted = [name for name in run.cards if name != BASE]
    methods = {name: run.method(name) for name in fitted}
    if variant is None and len(set(methods.values())) != 1:
        raise UsageError(
            f"{folder.path} has {len(fitted) or 'no'} fitted variants{': ' + ', '.join(fitted) if fitted else ''}",
            "Name one: ``variants=NAME``." if fitted else "A sweep needs the settings that a fit was recorded with.",
        )
    names = [name for name in fitted if variant in (None, methods[name])] or [str(variant)]
    if names[0] not in fitted:
        raise unknown_name("fitted variant", names[0], fitted)
    return [_setting(number, run, name, run.cards[name]) for name in names]


def _setting(number: int, run: RunView, name: str, card: FitCard) -> Setting:
    if card.config is None:
        path = run.folder.enhancement(name) / "card.json"
        raise RunError(f"{path}: the settings of the fit cannot be read (it has no 'config')")
    first = card.first_changed_layer
    return Setting(number, name, flat_config(card.config), None if first is None else first + 1)


def find_sweeps(settings: Sequence[Setting], fields: Sequence[str] = ()) -> list[Sweep]:
    """One sweep for every switch that differs.

    A switch's panel holds the runs in which all other switches are at the value that most runs have.

    Args:
        fields: Switches to show; empty takes every one that differs.

    Raises:
        UsageError: nothing differs, an unknown switch, or one without two values beside each other.
    """
    names = list(dict.fromkeys(name for setting in settings for name in setting.config))
    values = {name: [setting.config.get(name) for setting in settings] for name in names}
    # The preset only names where the values came from. Seeds are drawn at the value they share.
    varied = [name for name in names if len({value_key(v) for v in values[name]}) > 1 and name not in _NO_SWITCH]
    for name in fields:
        if name in _NO_SWITCH and name in names:
            raise UsageError(f"'{name}' is no switch of its own", f"What differs: {', '.join(varied) or 'nothing'}.")
        if name not in names:
            raise unknown_name("switch", name, names)
        if name not in varied:
            raise UsageError(f"'{name}' is {values[name][0]!r} in every run", f"What differs: {', '.join(varied) or 'nothing'}.")
    if not varied:
        raise UsageError(
            "the fits differ in their seed only"
            if len({value_key(v) for v in values.get("seed", [])}) > 1
            else "the runs were fitted with equal settings",
            "An ablation needs runs that differ in a switch: ``overrides=NAME=VALUE``.",
        )
    usual = {name: _usual(values[name]) for name in varied}
    found = []
    for name in fields or varied:
        others = [other for other in varied if other != name]
        alike = [s for s in settings if all(value_key(s.config.get(o)) == value_key(usual[o]) for o in others)]
        points = [(s.config.get(name), s.run, s.variant) for s in alike]
        if len({value_key(value) for value, _, _ in points}) > 1:
            found.append(Sweep(name, _ordered(points), {other: usual[other] for other in others}))
    if not found:
        raise UsageError(
            f"no two runs differ in one switch alone; between them differ {', '.join(varied)}",
            "Change one switch at a time, from one common setting.",
        )
    return found


def layer_sweep(settings: Sequence[Setting]) -> Sweep:
    """The runs by the first block that was changed.

    Raises:
        UsageError: fewer than two such layers, or runs that differ in more.
    """
    if any(setting.start_layer is None for setting in settings):
        raise UsageError("a run's method changes no block, so it has no start layer", "Choose another with ``variants``.")
    points = [(setting.start_layer, setting.run, setting.variant) for setting in settings]
    if len({value for value, _, _ in points}) < 2:
        raise UsageError(f"every run starts at block {points[0][0]}", "Name runs fitted with unlike ``overrides=start_layer=N``.")
    bare = [{k: value_key(v) for k, v in s.config.items() if k not in ("start_layer", *_NO_SWITCH)} for s in settings]
    differing = sorted({k for one in bare for k in one.keys() | bare[0].keys() if one.get(k) != bare[0].get(k)})
    if differing:
        raise UsageError(
            f"the runs differ in more than the start layer: {', '.join(differing)}", "Name runs that differ in it alone."
        )
    return Sweep("start_layer", _ordered(points), {})


def _usual(values: Sequence[Any]) -> Any:
    """The commonest value, the first of equals."""
    counts = Counter(value_key(value) for value in values)
    most = max(counts.values())
    return next(value for value in values if counts[value_key(value)] == most)


def _ordered(points: Sequence[tuple[Any, int, str]]) -> tuple[tuple[Any, int, str], ...]:
    if all(isinstance(value, int | float) for value, _, _ in points):
        return tuple(sorted(points, key=lambda point: (point[0], point[1])))
    return tuple(sorted(points, key=lambda point: (str(point[0]), point[1])))
