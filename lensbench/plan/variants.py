"""The fitted variants of a run: which methods with which settings, under which names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lensbench.backbones import Backbone
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.methods import config_model, get_method, method_names
from lensbench.methods.config import MethodConfig
from lensbench.plan.method_configs import Layers, config_of, read_layers
from lensbench.plan.request import RunRequest, VariantRequest
from lensbench.plan.variant_text import is_variant_name
from lensbench.safenames import folder_name, is_safe_name
from lensbench.spec import BASE

__all__ = ["PlannedVariant", "plan_variants"]


@dataclass(frozen=True)
class PlannedVariant:
    """What one method will make with one configuration; its seed is part of that."""

    name: str
    method: str
    config: MethodConfig


def plan_variants(
    request: RunRequest, wanted: Sequence[VariantRequest], backbone: Backbone, languages: Sequence[str]
) -> dict[str, PlannedVariant]:
    """Fitted variants by name, in the order in which they are fitted: the request's methods, then its further variants.

    Args:
        wanted: The further variants that a method makes.
        languages: Target languages.

    Raises:
        UsageError: an unknown method or one given twice, two variants of one name, two that are the same, an unknown setting
            (with the nearest), a value out of range.
    """
    plain = [VariantRequest(name, name) for name in _each_once(request.methods)]
    asked = [*plain, *wanted]
    for variant in wanted:
        _check_name(variant)
    names = [variant.name for variant in asked if variant.name is not None]
    layers = read_layers(request, tuple(dict.fromkeys(str(v.method) for v in asked)), names)
    found: dict[str, PlannedVariant] = {}
    for variant in asked:
        planned = _planned(variant, layers, request, backbone, languages)
        _check_against(planned, variant, found)
        found[planned.name] = planned
    return found


def _each_once(methods: Sequence[str]) -> list[str]:
    names = [get_method(name).name for name in methods]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"method '{name}' is given twice", f"For another variant, change a setting: ``variants={name}:seed=1``"
            )
    return names


def _check_name(variant: VariantRequest) -> None:
    name = variant.name
    if name is None:
        return
    if not is_variant_name(name):
        raise UsageError(f"``variants={variant.shown}``: '{name}' cannot name a variant", "Use letters, digits and . _ + -")
    if name == BASE:
        raise UsageError(_already(variant, BASE), "Give it another name before the '='.")
    if name != variant.method and name in method_names():
        raise UsageError(
            f"``variants={variant.shown}``: '{name}' is the name of another method", "Give it another name before the '='."
        )


def _planned(
    variant: VariantRequest, layers: Layers, request: RunRequest, backbone: Backbone, languages: Sequence[str]
) -> PlannedVariant:
    method = get_method(str(variant.method)).name
    config = config_of(method, layers, request.seed, backbone, languages, name=variant.name, own=variant.settings)
    if variant.name is not None:
        return PlannedVariant(variant.name, method, config)
    try:
        plain = _flat(config_of(method, layers, request.seed, backbone, languages).model_dump(mode="json"))
    except UsageError:
        # What this variant sets may be what the method cannot do without.
        plain = {}
    return PlannedVariant(_made_name(method, variant.settings, _flat(config.model_dump(mode="json")), plain), method, config)


def _made_name(method: str, written: Mapping[str, Any], config: Mapping[str, Any], plain: Mapping[str, Any]) -> str:
    """`lens[rank=2,seed=1]`: the settings that were written and differ from what the method has in this run."""
    differing = [
        f"{key}={_shown(value)}"
        for key, value in config.items()
        if any(key == own or key.startswith(f"{own}.") for own in written) and (key not in plain or plain[key] != value)
    ]
    return f"{method}[{','.join(differing)}]" if differing else method


def _check_against(planned: PlannedVariant, variant: VariantRequest, others: Mapping[str, PlannedVariant]) -> None:
    """
    Raises:
        UsageError: it is the same as another, has its name, or its folder would be the other's.
    """
    shown = f"``variants={variant.shown}``" if variant.text or variant.settings else f"variant '{planned.name}'"
    for other in others.values():
        if other.method == planned.method and _settings(other) == _settings(planned):
            raise UsageError(
                f"{shown} is the same as '{other.name}': method '{planned.method}' with equal settings",
                f"Give it a setting that differs: ``variants={planned.method}:seed=1``",
            )
        if folder_name(other.name) == folder_name(planned.name):
            raise UsageError(_already(variant, other.name), "Give it another name before the '='.")
    if not is_safe_name(folder_name(planned.name)):
        raise UsageError(
            f"{shown}: the name made from its settings cannot be a folder's name: {planned.name[:120]}",
            f"Name it: ``variants=NAME={variant.shown[:120]}``",
        )


def _already(variant: VariantRequest, name: str) -> str:
    return f"``variants={variant.shown}``: the run already has a variant '{name}'"


def _settings(planned: PlannedVariant) -> JsonObject:
    """What decides a fit: where a method has presets, their name only says what the other values started from."""
    config = planned.config.model_dump(mode="json")
    if config_model(planned.method)[1]:
        config.pop("preset", None)
    return config


def _flat(config: Mapping[str, Any], prefix: str = "") -> JsonObject:
    return dict(_entries(config, prefix))


def _entries(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _entries(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: Any) -> str:
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)
