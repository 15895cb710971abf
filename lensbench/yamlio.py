"""Reading YAML that a user wrote: safely, and with the line of every key at hand for messages.

`!function` (lm-eval's way to name Python code) is refused unless the caller was told to trust the file;
no other tag is known, so nothing in a YAML file can construct an object.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from lensbench.errors import UsageError, nearest

__all__ = ["Document", "read_yaml", "validated"]

_Model = TypeVar("_Model", bound=BaseModel)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    pass


def _function_refused(loader: Any, node: yaml.Node) -> str:
    raise UsageError(
        f"{node.start_mark.name}, line {node.start_mark.line + 1}: '!function {loader.construct_scalar(node)}' would run "
        "Python code",
        "Write it as Jinja, or pass --trust if you have read that code.",
    )


_Loader.add_constructor("!function", _function_refused)


class Document:
    """A parsed YAML mapping and the line numbers of its keys."""

    def __init__(self, path: Path, data: dict[str, Any], lines: dict[tuple[str | int, ...], int]) -> None:
        self.path = path
        self.data = data
        self._lines = lines

    def where(self, *key: str | int) -> str:
        """`file, line N` of a key path, or of the nearest parent that has a line."""
        parts = tuple(key)
        while parts and parts not in self._lines:
            parts = parts[:-1]
        line = self._lines.get(parts)
        return f"{self.path}, line {line}" if line else str(self.path)


def read_yaml(path: Path) -> Document:
    """Parse one YAML file whose top level is a mapping.

    Raises:
        UsageError: no such file, not UTF-8, not YAML, a tag such as `!function`, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, a YAML file was expected") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}") from None
    try:
        # Both of PyYAML's parsers take the name for their messages from the stream.
        stream = io.StringIO(text)
        stream.name = str(path)
        loader = _Loader(stream)
        try:
            node = loader.get_single_node()
            data = loader.construct_document(node) if node is not None else {}
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{path}{line}: {error.problem or error}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path}: the top level must be a mapping, found {type(data).__name__}")
    lines: dict[tuple[str | int, ...], int] = {}
    if node is not None:
        _collect_lines(node, (), lines)
    return Document(path, data, lines)


def _collect_lines(node: yaml.Node, prefix: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*prefix, key.value)
            lines[place] = key.start_mark.line + 1
            _collect_lines(value, place, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*prefix, index)] = value.start_mark.line + 1
            _collect_lines(value, (*prefix, index), lines)


def validated(values: Mapping[str, Any], model: type[_Model], document: Document | None, about: str = "") -> _Model:
    """Values as a model.

    Args:
        document: Where they were read, for the lines; None where it was no file.
        about: What a message begins with.

    Raises:
        UsageError: for each mistake its place, what is wrong, and the nearest valid key for an unknown one.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(about + _explained(error, model, document)) from None


def _explained(error: ValidationError, model: type[BaseModel], document: Document | None) -> str:
    messages = []
    for problem in error.errors():
        place = tuple(part for part in problem["loc"])
        where = document.where(*place) if document else ".".join(map(str, place))
        if problem["type"] == "extra_forbidden":
            close = nearest(str(place[-1]), _keys_at(model, place[:-1]))
            guess = f"; did you mean '{close}'?" if close else ""
            messages.append(f"{where}: unknown key '{place[-1]}'{guess}")
        else:
            messages.append(f"{where}: {'.'.join(map(str, place))}: {problem['msg']}")
    return "\n".join(messages)


def _keys_at(model: type[BaseModel], place: Iterable[str | int]) -> list[str]:
    """Valid keys of the (possibly nested) model at a place; mapping keys such as a language code are stepped over."""
    current: Any = model
    for part in place:
        if isinstance(part, int):
            continue
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[str(part)].annotation if str(part) in current.model_fields else None
        nested = [a for a in getattr(current, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        if nested:
            current = nested[0]
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [name for field, info in current.model_fields.items() for name in (info.alias, field) if name]
    return []
