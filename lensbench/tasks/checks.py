"""Checks for faults of a task that renders without an error but gives meaningless numbers.

Faults of a task as a whole (a template that never mentions the row, a gold answer that is none of the choices) are refused before
anything is scored. Faults of single items (a choice of nothing, two equal choices) make those items failures with a state of
their own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from lensbench.datasets.rows import canonical_json, strings_in
from lensbench.errors import DataError
from lensbench.states import SENTENCES

__all__ = [
    "EMPTY_CHOICE",
    "EQUAL_CHOICES",
    "FLAWS",
    "Asked",
    "check_items",
    "check_templates",
    "flaw_of",
    "undefined_name",
    "unused_columns",
]

EMPTY_CHOICE = "empty_choice"
EQUAL_CHOICES = "equal_choices"
FLAWS = {state: SENTENCES[state] for state in (EMPTY_CHOICE, EQUAL_CHOICES)}
"""State of an item that cannot be scored -> why."""

_TEMPLATES = ("doc_to_text", "doc_to_choice", "doc_to_target", "description", "gen_prefix")
_SINGLE = re.compile(r"(?<!\{)\{\s*(\w+)\s*\}(?!\})")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_UNDEFINED = re.compile(r"'(\w+)' is undefined")
"""What Jinja says of a name that has no value."""
_SHARE = 0.5
"""At most so many different prompts for so many different rows are taken for a template that leaves the question out."""


class Asked(Protocol):
    """The parts of an item that are checked."""

    @property
    def doc_id(self) -> int: ...
    @property
    def row(self) -> str: ...
    @property
    def doc(self) -> Mapping[str, Any]: ...
    @property
    def requests(self) -> Sequence[tuple[str, str]]: ...
    @property
    def turns(self) -> Sequence[str]: ...
    @property
    def flaw(self) -> str | None: ...


def check_templates(config: Mapping[str, Any], columns: Iterable[str], words: Mapping[str, Any], where: str) -> None:
    """Refuse templates that are not rendered as they look.

    Args:
        config: lm-eval's configuration of a task in one language.
        columns: Of its rows.
        words: The `vars` of the task, which stand in the templates as values.
        where: What a message begins with.

    Raises:
        DataError: a column's name in single braces, template syntax in a list of choices or in `vars`, a choice that is no text.
    """
    names = set(columns)
    asked = config.get("doc_to_text")
    if not isinstance(asked, str | int) and not callable(asked):
        said = "is missing" if asked is None else f"is {str(asked)[:60]!r}"
        raise DataError(f"{where}: doc_to_text {said}; expected a template, or a column's name")
    for key in _TEMPLATES:
        for text in strings_in(config.get(key)):
            single = next((name for name in _SINGLE.findall(_JINJA.sub("", text)) if name in names), None)
            if single is not None:
                raise DataError(
                    f"{where}: {key} has the column '{single}' in single braces, which is not rendered",
                    f"Write {{{{ {single} }}}}.",
                )
    choices = config.get("doc_to_choice")
    # Single letters are names of columns in some sets, and options all the same.
    if isinstance(choices, list) and len(choices) > 1 and all(str(one) in names and len(str(one)) > 1 for one in choices):
        listed = ", ".join(map(str, choices))
        raise DataError(
            f"{where}: doc_to_choice: the options are the literal texts {listed}, which are names of columns",
            f'Write the list as one template: doc_to_choice: "{{{{ [{listed}] }}}}".',
        )
    if isinstance(choices, list | Mapping):
        for choice in choices.values() if isinstance(choices, Mapping) else choices:
            if not isinstance(choice, str):
                raise DataError(f"{where}: doc_to_choice: {choice!r} is no text", "Put it in quotes.")
            if _JINJA.search(choice):
                inside = ", ".join(str(one).strip("{} ") for one in (choices if isinstance(choices, list) else choices.values()))
                raise DataError(
                    f"{where}: doc_to_choice: the option is the literal text {choice!r}; a list is not rendered",
                    f'Write the list as one template: doc_to_choice: "{{{{ [{inside}] }}}}".',
                )
    for name, value in words.items():
        found = next((text for text in strings_in(value) if _JINJA.search(text)), None)
        if found is not None:
            raise DataError(f"{where}: vars: '{name}' holds template syntax, which is not rendered: {found[:80]!r}")


def check_items(items: Sequence[Asked], where: str, *, chat: bool) -> None:
    """Refuse items that do not ask what they should.

    Args:
        chat: Whether the prompts went through a chat template, which may be what drops the question.

    Raises:
        DataError: template syntax in a choice, equal prompts for different rows, or no item that can be scored.
    """
    for item in items:
        _check_rendered(item, where)
    _check_different(items, where, chat=chat)
    flaws = Counter(item.flaw for item in items if item.flaw)
    if items and sum(flaws.values()) == len(items):
        reasons = "; ".join(f"{count} items: {FLAWS[flaw]}" for flaw, count in flaws.items() if flaw)
        raise DataError(f"{where}: no item can be scored ({reasons})")


def _check_rendered(item: Asked, where: str) -> None:
    texts = [text for request in item.requests for text in request]
    found = {match for text in dict.fromkeys(texts) if "{{" in text or "{%" in text for match in _JINJA.findall(text)}
    if not found:
        return
    given = list(strings_in(item.doc))
    left = next((one for one in sorted(found) if not any(one in text for text in given)), None)
    if left is not None:
        raise DataError(
            f"{where}: row {item.doc_id + 1}: the model would read the template text {left[:80]!r}",
            "A template inside a list, inside `vars` or inside {% raw %} is not rendered.",
        )


def _check_different(items: Sequence[Asked], where: str, *, chat: bool) -> None:
    rows: dict[str, str] = {}
    for item in items:
        rows.setdefault(item.row, canonical_json([item.requests, *item.turns[1:]]))
    prompts = Counter(rows.values())
    if len(rows) < 2 or len(prompts) > max(1, _SHARE * len(rows)):
        return
    said = "one and the same prompt" if len(prompts) == 1 else f"only {len(prompts)} different prompts"
    more = " A chat template that leaves out the message does the same." if chat else ""
    raise DataError(
        f"{where}: {len(rows)} different rows give {said}: {items[0].requests[0][0][-160:]!r}",
        f"doc_to_text must show the question, as in {{{{ column }}}}.{more}",
    )


def flaw_of(requests: Sequence[tuple[str, str]], gold: int | None) -> str | None:
    """Why an item of several choices cannot be scored, or None.

    Args:
        requests: (context, continuation) per choice.
        gold: Index of the right one, where one request stands for each choice.
    """
    if any(not continuation.strip() for _, continuation in requests):
        return EMPTY_CHOICE
    if gold is not None and 0 <= gold < len(requests) and sum(request == requests[gold] for request in requests) > 1:
        return EQUAL_CHOICES
    return None


def undefined_name(config: Mapping[str, Any], message: str) -> tuple[str, str] | None:
    """(key, name) of a template that names what has no value, from the message that rendering it gave; None for other messages.

    Args:
        config: The templates.
    """
    found = _UNDEFINED.search(message)
    if found is None:
        return None
    name = found[1]
    pattern = re.compile(rf"\b{re.escape(name)}\b")
    key = next((key for key in _TEMPLATES if any(pattern.search(text) for text in strings_in(config.get(key)))), None)
    return (key, name) if key is not None else None


def unused_columns(config: Mapping[str, Any], required: Iterable[str], turns: str | None) -> list[str]:
    """Required texts of the rows that no template of the task names: the question may lack them."""
    text = "\n".join(value for key in _TEMPLATES for value in strings_in(config.get(key)))
    return [name for name in required if name != turns and not re.search(rf"\b{re.escape(name)}\b", text)]
