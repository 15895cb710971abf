"""Safe reading of YAML from users and strangers, with limits, and with the line of every key for messages.

`!function` (lm-eval's way to name Python code) is refused; no other tag is known, so nothing in a YAML file can construct an
object. A date stays the text it is written as. Limits of size, depth and alias expansion are checked on the parser's events,
before anything is built from them.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from lensbench.errors import UsageError, nearest
from lensbench.jsonio import JsonObject, read_bounded
from lensbench.yamlevents import check_events

__all__ = ["MAX_YAML_BYTES", "Document", "leading_comment", "read_yaml", "validated", "yaml_value"]

MAX_YAML_BYTES = 2**22
"""The longest file that ships has 6 kB."""
MAX_DIGITS = 100
"""Most digits of an integer."""

_Model = TypeVar("_Model", bound=BaseModel)

_PREFIX = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(
    r"[-+]?(?:\d[\d_]*\.[\d_]*|\.[\d_]*\d)(?:[eE][-+]?\d+)?\Z"
    r"|[-+]?\d[\d_]*[eE][-+]?\d+\Z|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Only strings, integers, floats, booleans, null, lists and mappings. Dates and clock times (`12:30`) are strings."""

    yaml_implicit_resolvers: ClassVar[Any] = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.removeprefix(_PREFIX) in ("bool", "null", "merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(_PREFIX + "int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(_PREFIX + "float", _FLOAT, list("-+.0123456789"))


def _refused(node: yaml.Node, what: str, hint: str | None = None) -> UsageError:
    return UsageError(f"{node.start_mark.name}, line {node.start_mark.line + 1}: {what}", hint)


def _int(loader: Any, node: yaml.Node) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > MAX_DIGITS:
        raise _refused(node, f"an integer of {len(text)} digits")
    if not _INT.match(text):
        raise _refused(node, f"{_short(text)} is no integer")
    digits = text.replace("_", "")
    unsigned = digits.lstrip("-+")
    if unsigned[:1] == "0" and len(unsigned) > 1 and unsigned[1:2] not in "box":
        # YAML 1.1 reads 010 as eight; 08 is a text.
        return int(digits, 8)
    try:
        return int(digits, 0)
    except ValueError:
        raise _refused(node, f"{_short(text)} is no integer") from None


def _float(loader: Any, node: yaml.Node) -> float:
    text = str(loader.construct_scalar(node)).replace("_", "").lower()
    try:
        value = float(text.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise _refused(node, f"{_short(text)} is no number") from None
    if not math.isfinite(value):
        raise _refused(node, f"{_short(text)} is not a finite number")
    return value


def _bool(loader: Any, node: yaml.Node) -> bool:
    text = str(loader.construct_scalar(node))
    if text.lower() not in loader.bool_values:
        raise _refused(node, f"{_short(text)} is neither true nor false")
    return bool(loader.bool_values[text.lower()])


def _null(loader: Any, node: yaml.Node) -> None:
    loader.construct_scalar(node)


def _function_refused(loader: Any, node: yaml.Node) -> str:
    named = node.value if isinstance(node, yaml.ScalarNode) else "..."
    raise _refused(
        node,
        f"'!function {_short(named)[1:-1]}' would run Python code",
        "Write it as Jinja, or pass ``trust_tasks=True`` if you have read that code.",
    )


def _tag_refused(loader: Any, node: yaml.Node) -> Any:
    tag = str(node.tag)
    shown = "!!" + tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else tag
    raise _refused(node, f"the tag {shown} is not read", "Plain values need none: write a date or a number as it is.")


_Loader.add_constructor("!function", _function_refused)
for _kind, _constructor in (("int", _int), ("float", _float), ("bool", _bool), ("null", _null)):
    _Loader.add_constructor(_PREFIX + _kind, _constructor)
for _kind in ("timestamp", "binary", "set", "omap", "pairs", "value"):
    _Loader.add_constructor(_PREFIX + _kind, _tag_refused)
_Loader.add_constructor(None, _tag_refused)


class Document:
    """A parsed YAML mapping and the line numbers of its keys."""

    def __init__(self, path: Path, data: JsonObject, lines: dict[tuple[str | int, ...], int]) -> None:
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
        UsageError: no such file, no plain file, above 4 MiB, not UTF-8, not YAML, two documents, nested or expanded too far, an
            alias of what it stands in, a key given twice or that is no text, a tag such as `!function`, or not a mapping. The
            message names file and line.
    """
    raw = read_bounded(path, MAX_YAML_BYTES)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}") from None
    data, node = _load(text, str(path))
    if node is None:
        data = {}
    if not isinstance(data, dict):
        raise UsageError(f"{path}: the top level must be a mapping, found {type(data).__name__}")
    lines: dict[tuple[str | int, ...], int] = {}
    if node is not None:
        _collect_lines(node, (), lines)
    for key in data:
        if not isinstance(key, str):
            raise UsageError(f"{path}, line {lines.get((str(key),), 1)}: the key {key} is no text", f'Put it in quotes: "{key}".')
    return Document(path, data, lines)


def yaml_value(text: str, where: str) -> Any:
    """The value of a short YAML text, such as that of one setting.

    Raises:
        UsageError: as `read_yaml`.
    """
    return _load(text, where)[0]


def _load(text: str, name: str) -> tuple[Any, yaml.Node | None]:
    # Both of PyYAML's parsers take the name for their messages from the stream.
    stream = io.StringIO(text)
    stream.name = name
    try:
        check_events(text, name)
        loader = _Loader(stream)
        try:
            node = loader.get_single_node()
            return (loader.construct_document(node) if node is not None else None), node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{name}{line}: {error.problem or error}") from None
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        line = f", line {text[:position].count(chr(10)) + 1}"
        raise UsageError(f"{name}{line}: a character that YAML does not allow ({error.reason})") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{name}: {error}") from None
    except (UnicodeError, RecursionError, ValueError, TypeError, OverflowError) as error:
        raise UsageError(f"{name}: cannot be read as YAML ({type(error).__name__}: {error})"[:400]) from None


def _short(text: object) -> str:
    shown = repr(str(text))
    return shown if len(shown) <= 60 else shown[:57] + "...'"


def _collect_lines(node: yaml.Node, prefix: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*prefix, str(key.value))
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
            # A rule of a model's own is written in our words; pydantic puts its kind before it.
            said = problem["msg"].removeprefix("Value error, ")
            messages.append(": ".join(part for part in (where, ".".join(map(str, place)), said) if part))
    return "\n".join(messages)


def _keys_at(model: type[BaseModel], place: Iterable[str | int]) -> list[str]:
    """Valid keys of the (possibly nested) model at a place; mapping keys such as a language code are stepped over."""
    current: Any = model
    for part in place:
        if isinstance(part, int):
            continue
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[str(part)].annotation if str(part) in current.model_fields else None
        current = next(_models_in(current), current)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [name for field, info in current.model_fields.items() for name in (info.alias, field) if name]
    return []


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of: the one of `list[Model] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)


def leading_comment(path: Path) -> str:
    """The comment that a file begins with, as one paragraph; "" if it begins with something else."""
    lines = []
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            if not line.startswith("#"):
                break
            lines.append(line.lstrip("#").strip())
    return " ".join(lines)
