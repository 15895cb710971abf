"""The configuration of one fit: defaults, presets, the user's file and single values, for a method or for one of its variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lensbench.backbones import Backbone
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.methods import config_model
from lensbench.methods.config import MethodConfig
from lensbench.plan.request import RunRequest
from lensbench.yamlio import Document, read_yaml, validated, yaml_value

__all__ = ["Layers", "config_of", "read_layers"]


@dataclass
class Layers:
    """What a user's file and single values say, by whom it is about.

    Attributes:
        methods: Method -> values for all of its variants.
        variants: Variant -> values for it alone. A name that is its method's is not here.
    """

    methods: dict[str, JsonObject]
    variants: dict[str, JsonObject]
    document: Document | None = field(default=None)

    def about(self, name: str) -> JsonObject | None:
        return self.methods.get(name, self.variants.get(name))

    @property
    def names(self) -> str:
        return ", ".join([*self.methods, *self.variants])


def read_layers(request: RunRequest, methods: Sequence[str], names: Sequence[str]) -> Layers:
    """Sort the values of `config_file` and `overrides` by method and variant.

    Where the run has one method, they are about that method. Where it has several, or is to set a variant apart, each key begins
    with the name of the method or of the variant: `lens.push_strength.zh=0.5`, `wide.rank=1`; a YAML file has one mapping each.

    Raises:
        UsageError: values without a method, or of which it is not clear whom they are about.
    """
    document = read_yaml(request.config_file) if request.config_file else None
    found = Layers({name: {} for name in methods}, {name: {} for name in names if name not in methods}, document)
    if (document is not None or request.overrides) and not methods:
        raise UsageError("``config`` and ``overrides`` configure a method, but no method is given", "Example: ``methods=lens``")
    if document is not None:
        _take(found, dict(document.data), str(request.config_file))
    for override in request.overrides:
        _set(found, override)
    return found


def config_of(
    method: str,
    layers: Layers,
    seed: int,
    backbone: Backbone,
    languages: Sequence[str],
    *,
    name: str | None = None,
    own: Mapping[str, Any] | None = None,
) -> MethodConfig:
    """Defaults, the backbone's preset, the method's preset, settings for the method, then for the variant; the last one wins.

    Args:
        seed: The run's: of a method that has a seed, where none is given.
        name: The variant's; None: the method as it is in this run.
        own: Further settings of the variant; keys may have dots.

    Raises:
        UsageError: an unknown key (with the nearest), or a value out of range.
    """
    model, presets = config_model(method)
    given = layers.methods[method]
    for key, value in (own or {}).items():
        given = _laid_over(given, _nested(key, value))
    given = _laid_over(given, layers.variants.get(name or "", {}))
    values = backbone.preset(method, len(languages))
    values.update(presets.get(str(given.get("preset", values.get("preset", "default"))), {}))
    if "seed" in model.model_fields:
        values.setdefault("seed", seed)
    # One strength given for one language leaves the preset's other languages as they are.
    values = _laid_over(values, given)
    who = f"method '{method}': " if name in (None, method) else f"variant '{name}': "
    config = validated(values, model, layers.document, who)
    config.check(languages)
    return config


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> JsonObject:
    """Both mappings, the upper one's values where they meet; mappings inside are treated alike."""
    values = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(values.get(key), Mapping)
        values[key] = _laid_over(values[key], value) if both else value
    return values


def _nested(key: str, value: Any) -> JsonObject:
    first, dot, rest = key.partition(".")
    return {first: _nested(rest, value) if dot else value}


def _take(layers: Layers, values: JsonObject, where: str) -> None:
    if all(layers.about(key) is not None for key in values):
        for name, given in values.items():
            own = layers.about(name)
            assert own is not None
            if not isinstance(given, dict):
                raise UsageError(f"{where}: '{name}' must be a mapping of that method's values")
            own |= given
        return
    if len(layers.methods) > 1:
        strange = next(key for key in values if layers.about(key) is None)
        kinds = "methods and variants" if layers.variants else "methods"
        raise UsageError(
            f"{where}: '{strange}' is not one of the {kinds} {layers.names}", "With several methods, write one mapping each."
        )
    for own in layers.methods.values():
        own |= values


def _set(layers: Layers, override: str) -> None:
    """Apply one `[method.|variant.]key.sub=value`; the value is read as YAML."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"``overrides`` takes key=value, found '{override}'", "Example: ``overrides=push_strength.zh=0.5``")
    values, parents, last = _whose(layers, key, override)
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise UsageError(f"``overrides={override}``: '{parent}' is not a mapping")
    values[last] = yaml_value(text, f"``overrides={override}``")


def _whose(layers: Layers, key: str, override: str) -> tuple[JsonObject, list[str], str]:
    """The values that a key is about, and the key without the name in front."""
    *parents, last = key.split(".")
    # Names of variants may hold dots.
    for n in range(len(parents), 0, -1):
        own = layers.about(".".join(parents[:n]))
        if own is not None:
            return own, parents[n:], last
    if len(layers.methods) > 1:
        first = next(iter(layers.methods))
        raise UsageError(f"``overrides={override}``: which method?", f"Begin with its name: ``overrides={first}.{override}``")
    return next(iter(layers.methods.values())), parents, last
