"""The fitted variants of a run: which methods with which settings, under which names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lensbench.backbones import Backbone
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject, json_text
from lensbench.methods import config_model, get_method, method_names
from lensbench.methods.config import MethodConfig
from lensbench.plan.method_configs import Layers, config_of, read_layers
from lensbench.plan.request import RunRequest, VariantRequest
from lensbench.plan.sweep import expand_variants
from lensbench.plan.variant_text import is_variant_name
from lensbench.safenames import folder_name, is_safe_name
from lensbench.spec import BASE

__all__ = ["PlannedVariant", "flat_settings", "plan_variants", "shown_value"]


@dataclass(frozen=True)
class PlannedVariant:
    """What one method will make with one configuration; its seed is part of that."""

    name: str
    method: str
    config: MethodConfig


def plan_variants(
    request: RunRequest, wanted: Sequence[VariantRequest], backbone: Backbone, languages: Sequence[str]
) -> dict[str, PlannedVariant]:
    """Fitted variants by name, in the order in which they are fitted: the request's methods with what is swept of them, then its
    further variants.

    Args:
        wanted: The further variants that a method makes.
        languages: Target languages.

    Raises:
        UsageError: an unknown method or one given twice, two variants of one name, two that are the same, an unknown setting
            (with the nearest), a value out of range; or as `expand_variants`.
    """
    plain = [VariantRequest(name, name) for name in _each_once(request.methods)]
    for variant in wanted:
        _check_name(variant)
    asked = expand_variants(plain, wanted, request.sweep, request.seeds, confirmed=request.yes)
    names = [variant.name for variant in asked if variant.name is not None]
    layers = read_layers(request, tuple(dict.fromkeys(str(v.method) for v in asked)), names)
    others = _Others({}, {}, {})
    for variant in asked:
        planned = _planned(variant, layers, request, backbone, languages)
        _check_against(planned, variant, others)
        others.add(planned)
    return others.names


@dataclass(frozen=True)
class _Others:
    """The variants before one, found by what two must not share."""

    names: dict[str, PlannedVariant]
    settings: dict[str, PlannedVariant]
    folders: dict[str, PlannedVariant]

    def add(self, planned: PlannedVariant) -> None:
        self.names[planned.name] = planned
        self.settings[_settings(planned)] = planned
        self.folders[folder_name(planned.name)] = planned


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
    try:
        config = config_of(method, layers, request.seed, backbone, languages, name=variant.name, own=variant.settings)
        if backbone.shape is not None:
            # A block that the backbone does not have is known here; its fit would fail after those of the variants before it.
            config.floor_bytes(backbone.shape, 2)
    except UsageError as error:
        if not variant.swept:
            raise
        raise UsageError(f"variant {variant.shown} of the sweep: {error.message}", error.hint) from None
    if variant.name is not None and not variant.swept:
        return PlannedVariant(variant.name, method, config)
    try:
        plain = flat_settings(config_of(method, layers, request.seed, backbone, languages).model_dump(mode="json"))
    except UsageError:
        # What this variant sets may be what the method cannot do without.
        plain = {}
    values = flat_settings(config.model_dump(mode="json"))
    if variant.name is not None:
        return PlannedVariant(_made_name(variant.name, variant.swept, values, {}), method, config)
    # A sweep names what it sets in every variant, so that equal parts of two names mean equal settings.
    plain = {key: value for key, value in plain.items() if not _is_of(key, variant.swept)}
    return PlannedVariant(_made_name(method, variant.settings, values, plain), method, config)


def _made_name(head: str, written: Collection[str], config: Mapping[str, Any], plain: Mapping[str, Any]) -> str:
    """`lens[rank=2,seed=1]`: the settings that were written and differ from what the method has in this run."""
    differing = [
        f"{key}={shown_value(value)}"
        for key, value in config.items()
        if _is_of(key, written) and (key not in plain or plain[key] != value)
    ]
    return f"{head}[{','.join(differing)}]" if differing else head


def _is_of(key: str, settings: Collection[str]) -> bool:
    """Whether a key with dots is one of the settings, or lies in one."""
    return any(key == own or key.startswith(f"{own}.") for own in settings)


def _check_against(planned: PlannedVariant, variant: VariantRequest, others: _Others) -> None:
    """
    Raises:
        UsageError: it is the same as another, has its name, or its folder would be the other's.
    """
    written = not variant.swept and (variant.text or variant.settings)
    shown = f"``variants={variant.shown}``" if written else f"variant '{planned.name}'"
    same = others.settings.get(_settings(planned))
    if same is not None:
        raise UsageError(
            f"{shown} is the same as '{same.name}': method '{planned.method}' with equal settings",
            "Leave one of them out."
            if variant.swept
            else f"Give it a setting that differs: ``variants={planned.method}:seed=1``",
        )
    taken = others.folders.get(folder_name(planned.name))
    if taken is not None:
        raise UsageError(_already(variant, taken.name), "Give it another name before the '='.")
    if not is_safe_name(folder_name(planned.name)):
        raise UsageError(
            f"{shown}: the name made from its settings cannot be a folder's name: {planned.name[:120]}",
            f"Name it: ``variants=NAME={variant.shown[:120]}``",
        )


def _already(variant: VariantRequest, name: str) -> str:
    return f"``variants={variant.shown}``: the run already has a variant '{name}'"


def _settings(planned: PlannedVariant) -> str:
    """What decides a fit, as a text: where a method has presets, their name only says what the other values started from."""
    config = planned.config.model_dump(mode="json")
    if config_model(planned.method)[1]:
        config.pop("preset", None)
    return json_text([planned.method, flat_settings(config)], sort_keys=True)


def flat_settings(config: Mapping[str, Any], prefix: str = "") -> JsonObject:
    """Settings without nesting: `{"push_strength": {"zh": 1}}` becomes `{"push_strength.zh": 1}`."""
    return dict(_entries(config, prefix))


def _entries(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _entries(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def shown_value(value: Any) -> str:
    """A value as it stands in a name: as YAML writes it."""
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)
