"""The configuration of every method of a run: defaults, presets, the user's file and single values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lensbench.backbones import Backbone
from lensbench.errors import UsageError
from lensbench.methods import config_model, get_method
from lensbench.methods.config import MethodConfig
from lensbench.yamlio import Document, read_yaml, validated, yaml_value

if TYPE_CHECKING:
    from lensbench.plan.request import RunRequest

__all__ = ["method_configs"]


def method_configs(request: RunRequest, backbone: Backbone, languages: Sequence[str]) -> dict[str, MethodConfig]:
    """Configurations by method, in the order asked for.

    With one method, `--config` and `--set` are about that method. With several, each key begins with the method's name:
    `--set lens.push_strength.zh=0.5`; a YAML file has one mapping per method.

    Raises:
        UsageError: an unknown method or one given twice, an unknown key (with the nearest), a value out of range.
    """
    names = [get_method(name).name for name in request.methods]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"method '{name}' is given twice", "One run fits a method once; give the other one another --out.")
    document = read_yaml(request.config_file) if request.config_file else None
    given: dict[str, dict[str, Any]] = {name: {} for name in names}
    if document is not None:
        _take(given, dict(document.data), str(request.config_file))
    for override in request.overrides:
        _set(given, override)
    if (document is not None or request.overrides) and not names:
        raise UsageError("--config and --set are about a method, and none is given", "Example: --method lens")
    return {name: _one(name, given[name], document, request, backbone, languages) for name in names}


def _take(given: dict[str, dict[str, Any]], values: dict[str, Any], where: str) -> None:
    if all(key in given for key in values):
        for name, own in values.items():
            if not isinstance(own, dict):
                raise UsageError(f"{where}: '{name}' must be a mapping of that method's values")
            given[name] |= own
        return
    if len(given) > 1:
        strange = next(key for key in values if key not in given)
        raise UsageError(
            f"{where}: '{strange}' is none of the methods {', '.join(given)}", "With several methods, write one mapping each."
        )
    for own in given.values():
        own |= values


def _one(
    name: str, given: dict[str, Any], document: Document | None, request: RunRequest, backbone: Backbone, languages: Sequence[str]
) -> MethodConfig:
    """Defaults, then the backbone's preset, then the method's preset, then what was given; later ones win."""
    model, presets = config_model(name)
    values = backbone.preset(name, len(languages))
    values.update(presets.get(str(given.get("preset", values.get("preset", "default"))), {}))
    if "seed" in model.model_fields:
        values.setdefault("seed", request.seed)
    for key, value in given.items():
        # One strength given for one language leaves the preset's other languages as they are.
        both = isinstance(value, dict) and isinstance(values.get(key), dict)
        values[key] = {**values[key], **value} if both else value
    config = validated(values, model, document, f"method '{name}': ")
    config.check(languages)
    return config


def _set(given: dict[str, dict[str, Any]], override: str) -> None:
    """Apply one `--set [method.]key.sub=value`; the value is read as YAML."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"--set takes key=value, found '{override}'", "Example: --set push_strength.zh=0.5")
    *parents, last = key.split(".")
    if parents and parents[0] in given:
        values = given[parents.pop(0)]
    elif len(given) == 1:
        (values,) = given.values()
    elif given:
        raise UsageError(f"--set {override}: which method?", f"Begin with its name: --set {next(iter(given))}.{override}")
    else:
        return
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise UsageError(f"--set {override}: '{parent}' is not a mapping")
    values[last] = yaml_value(text, f"--set {override}")
