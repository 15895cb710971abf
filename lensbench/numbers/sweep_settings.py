"""The settings of a run: variants that differ in their seed only are one setting, and what varies between those of a method."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lensbench.errors import UsageError, unknown_name
from lensbench.jsonio import JsonObject, json_text
from lensbench.numbers.fitted_variants import FittedVariant
from lensbench.numbers.seed_settings import without_seed

__all__ = [
    "ABSENT",
    "MethodSweep",
    "Setting",
    "Switch",
    "flat_config",
    "method_sweeps",
    "ordered_values",
    "shown_value",
    "value_key",
]

_NO_SWITCH = ("preset",)
"""The preset only names where values came from; what it changed differs by itself."""
ABSENT = "not set"
"""Value of a switch in a setting that does not have it."""


@dataclass(frozen=True)
class Switch:
    """A setting of the method that varies, with its values in order.

    Attributes:
        name: As in a configuration; parts of a mapping have dots (`push_strength.zh`).
    """

    name: str
    values: tuple[Any, ...]

    @property
    def numeric(self) -> bool:
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)


@dataclass(frozen=True)
class Setting:
    """One method with one configuration, fitted once or with several seeds.

    Attributes:
        name: Of one variant its name; of several what their names have in common.
        values: Switch -> value of this setting.
        variants: Those that were fitted.
        seeds: Seed of each variant; None where it is not recorded.
        failed: Variant that could not be fitted -> why.
    """

    name: str
    method: str
    values: Mapping[str, Any]
    variants: tuple[str, ...]
    seeds: tuple[int | None, ...]
    failed: Mapping[str, str]


@dataclass(frozen=True)
class MethodSweep:
    """The settings of one method.

    Attributes:
        switches: What varies between them; none where the method has one setting.
    """

    method: str
    switches: tuple[Switch, ...]
    settings: tuple[Setting, ...]
    fixed: tuple[str, ...] = ()
    """Switches that have one value in all settings."""

    @property
    def varies(self) -> bool:
        return bool(self.switches)

    def switch(self, name: str) -> Switch:
        """A switch by its name, with or without the method's before it.

        Raises:
            UsageError: an unknown one (with the nearest), or one that has the same value everywhere.
        """
        own = name.removeprefix(f"{self.method}.")
        found = next((switch for switch in self.switches if switch.name == own), None)
        if found is not None:
            return found
        varied = ", ".join(switch.name for switch in self.switches)
        if own in self.fixed:
            raise UsageError(
                f"'{own}' has the same value in all settings of {self.method}", f"What varies: {varied or 'nothing'}."
            )
        raise unknown_name("switch", name, [*(switch.name for switch in self.switches), *self.fixed])


def method_sweeps(variants: Sequence[FittedVariant]) -> list[MethodSweep]:
    """The settings of every method, in the order of the run.

    A variant whose settings are not recorded is a setting of its own, without values.
    """
    methods: dict[str, list[FittedVariant]] = {}
    for variant in variants:
        methods.setdefault(variant.method, []).append(variant)
    return [_sweep(method, own) for method, own in methods.items()]


def _sweep(method: str, variants: Sequence[FittedVariant]) -> MethodSweep:
    alike: dict[str, list[FittedVariant]] = {}
    for variant in variants:
        key = f"?{variant.name}" if variant.config is None else json_text(_comparable(variant.config), sort_keys=True)
        same = alike.setdefault(key, [])
        if variant.seed is not None and any(variant.seed == other.seed for other in same):
            # Two of one seed are not two draws of a seed: the second stands by itself.
            same = alike.setdefault(f"{key}?{variant.name}", [])
        same.append(variant)
    groups = [(group, group[0].config) for group in alike.values()]
    configs = [config for _, config in groups if config is not None]
    switches = _switches(configs)
    names = [switch.name for switch in switches]
    settings = []
    for group, config in groups:
        fitted = [one for one in group if one.failed is None]
        flat = {} if config is None else {name: _value(config, name) for name in names}
        settings.append(
            Setting(
                without_seed(tuple(one.name for one in group)) if len(group) > 1 else group[0].name,
                method,
                flat,
                tuple(one.name for one in fitted),
                tuple(one.seed for one in fitted),
                {one.name: one.failed for one in group if one.failed is not None},
            )
        )
    known = dict.fromkeys(name for config in configs for name in _paths(config, configs))
    return MethodSweep(method, switches, tuple(settings), tuple(name for name in known if name not in names))


def _switches(configs: Sequence[Mapping[str, Any]]) -> tuple[Switch, ...]:
    names = dict.fromkeys(name for config in configs for name in _paths(config, configs))
    found = []
    for name in names:
        values: dict[str, Any] = {}
        for config in configs:
            value = _value(config, name)
            values.setdefault(value_key(value), value)
        if len(values) > 1 and name not in _NO_SWITCH:
            found.append(Switch(name, ordered_values(list(values.values()))))
    return tuple(found)


def _paths(config: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the values of a configuration. A mapping is entered where every configuration has one there."""
    paths = []
    for key, value in config.items():
        beside = [other.get(key) for other in others]
        if isinstance(value, Mapping) and all(isinstance(one, Mapping) for one in beside):
            paths += [f"{key}.{rest}" for rest in _paths(value, [one for one in beside if isinstance(one, Mapping)])]
        else:
            paths.append(key)
    return paths


def _value(config: Mapping[str, Any], path: str) -> Any:
    value: Any = config
    if path in config:
        return config[path]
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ABSENT
        value = value[part]
    return value


def flat_config(config: Mapping[str, Any], prefix: str = "") -> JsonObject:
    """Settings without nesting: `{"push_strength": {"zh": 1}}` becomes `{"push_strength.zh": 1}`."""
    flat: JsonObject = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat.update(flat_config(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def value_key(value: Any) -> str:
    """A value as a text to compare by: 1 and 1.0 are one value."""
    return json.dumps(_comparable(value), sort_keys=True)


def _comparable(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): _comparable(own) for key, own in value.items()}
    return [_comparable(own) for own in value] if isinstance(value, list | tuple) else value


def ordered_values(values: Sequence[Any]) -> tuple[Any, ...]:
    """Numbers by size; anything else with numbers first, then in the order in which it came."""
    numbers = sorted(value for value in values if isinstance(value, int | float) and not isinstance(value, bool))
    return (*numbers, *(value for value in values if not isinstance(value, int | float) or isinstance(value, bool)))


def shown_value(value: Any) -> str:
    """A value as YAML writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown_value(own)}" for key, own in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)
