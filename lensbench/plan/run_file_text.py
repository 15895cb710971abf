"""The file from which a run can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import yaml

from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.plan.plan import Plan
from lensbench.plan.request import RunRequest, VariantRequest
from lensbench.plan.run_file import FORMAT, RunFile
from lensbench.yamlio import read_yaml, yaml_value

__all__ = ["RUN_FILE", "run_file_text"]

RUN_FILE = "run.yaml"
"""Its name in a run folder."""

_HEAD = """\
# The choices that made this run. `lensbench run RUN/run.yaml` repeats it: in this folder it goes on, elsewhere it begins anew.
# Relative paths are read from the current directory.
"""
_NOT_WRITTEN = {"backbone", "config_file", "data", "sweep", "trust_tasks", "trust_model", "variants", "yes"}
"""Fields of a request that are written in another form, or that only a call may give."""


def run_file_text(request: RunRequest, plan: Plan, further: Mapping[str, Any]) -> str:
    """A run as YAML, its configuration file included.

    Args:
        further: Arguments of the call that a request does not hold, such as the judge.
    """
    content: JsonObject = {"format": FORMAT, "backbone": request.backbone}
    content["variants"] = [_variant(one) for one in request.variants]
    content["sweep"] = [{key: list(values) for key, values in grid.items()} for grid in request.sweep]
    content["data"] = None if plan.spec.data == "hub" else plan.spec.data
    content["config"] = read_yaml(request.config_file).data if request.config_file else None
    content |= {field.name: _plain(getattr(request, field.name)) for field in fields(request) if field.name not in _NOT_WRITTEN}
    content |= {name: _plain(value) for name, value in further.items()}
    # The order of the keys is that of the documentation.
    known = {name: content[name] for name in RunFile.model_fields if content.get(name) not in (None, [], {})}
    if not request.languages:
        known["languages"] = []
    left_out = [name for name in ("trust_tasks", "trust_model") if getattr(request, name)]
    left_out += ["base_url"] if further.get("base_url") else []
    note = f"# The call also gave what is not read from a file: {', '.join(left_out)}.\n" if left_out else ""
    return _HEAD + note + yaml.dump(known, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes texts so that `yaml_value` reads them as texts: it takes `1e5` for a number, and PyYAML's own reader does not."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    try:
        plain = isinstance(yaml_value(value, ""), str)
    except UsageError:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def _variant(one: str | VariantRequest) -> str | JsonObject:
    if isinstance(one, str):
        return one
    named = {} if one.name is None else {"name": one.name}
    if one.method is None:
        return {**named, "checkpoint": one.checkpoint}
    return {**named, "method": one.method, "settings": _plain(dict(one.settings))}


def _plain(value: Any) -> Any:
    """The value in types that YAML has."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else str(value)
