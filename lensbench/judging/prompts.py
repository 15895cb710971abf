"""From a question and its answers to the messages a judge reads: our own Jinja files, or a prompt file in FastChat's format."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import jinja2

from lensbench.errors import UsageError
from lensbench.judging.schema import PromptFiles
from lensbench.sandbox import SafeEnvironment, limited

__all__ = ["FORMS", "Form", "PromptSet", "Slots", "load_prompts", "render_blocks"]

Form = Literal["turn1", "turn1_reference", "turn2", "turn2_reference"]
FORMS: tuple[Form, ...] = ("turn1", "turn1_reference", "turn2", "turn2_reference")

Slots = Mapping[str, Any]
"""`questions`, `answers`, `references` (lists of texts by turn; references may be empty) and `language` (English name)."""

_FASTCHAT: dict[Form, str] = {
    "turn1": "single-v1",
    "turn1_reference": "single-math-v1",
    "turn2": "single-v1-multi-turn",
    "turn2_reference": "single-math-v1-multi-turn",
}


class PromptSet(Protocol):
    """The four forms of single-answer grading."""

    @property
    def digest(self) -> str:
        """16 hex digits over all files."""
        ...

    def name(self, form: Form) -> str: ...

    def hash(self, form: Form) -> str:
        """12 hex digits over one form."""
        ...

    def messages(self, form: Form, slots: Slots) -> list[dict[str, str]]: ...


def load_prompts(files: PromptFiles, folder: Path) -> PromptSet:
    """The prompts a judge YAML names.

    Args:
        folder: Where the YAML lies; relative names start there.

    Raises:
        UsageError: a file is missing, is not a template, or lacks a block or prompt.
    """
    if files.fastchat is not None:
        return _FastChat(folder / files.fastchat)
    return _Jinja({form: folder / str(getattr(files, form)) for form in FORMS})


def render_blocks(path: Path, slots: Mapping[str, Any]) -> list[dict[str, str]]:
    """The messages of one prompt file with the blocks `system` and `user`.

    Raises:
        UsageError: the file is missing or no template, or names a slot that is not there.
    """
    return _messages(_template(path, _read(path)), path, slots)


def _template(path: Path, source: str) -> jinja2.Template:
    environment = SafeEnvironment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    try:
        template = environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(f"{path}, line {error.lineno}: {error.message}") from None
    missing = {"system", "user"} - set(template.blocks)
    if missing:
        raise UsageError(f"{path}: no block '{sorted(missing)[0]}'", "A prompt file has the blocks system and user.")
    return template


def _messages(template: jinja2.Template, path: Path, slots: Mapping[str, Any]) -> list[dict[str, str]]:
    try:
        with limited(template):
            parts = {role: "".join(template.blocks[role](template.new_context(dict(slots)))) for role in ("system", "user")}
    except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError, MemoryError) as error:
        raise UsageError(f"{path}: {type(error).__name__}: {error}"[:400]) from None
    return [{"role": role, "content": text.strip("\n")} for role, text in parts.items() if text.strip()]


class _Jinja:
    def __init__(self, paths: Mapping[Form, Path]) -> None:
        self._paths = paths
        self._sources = {form: _read(path) for form, path in paths.items()}
        self._templates = {form: _template(paths[form], source) for form, source in self._sources.items()}

    @property
    def digest(self) -> str:
        return _digest("".join(self._sources[form] + "\0" for form in FORMS), 16)

    def name(self, form: Form) -> str:
        return self._paths[form].stem

    def hash(self, form: Form) -> str:
        return _digest(self._sources[form], 12)

    def messages(self, form: Form, slots: Slots) -> list[dict[str, str]]:
        return _messages(self._templates[form], self._paths[form], slots)


class _FastChat:
    """The published wording, from the user's own copy of `judge_prompts.jsonl`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._source = _read(path)
        found: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(self._source.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                prompt = json.loads(line)
                found[prompt["name"]] = {key: prompt[key] for key in ("name", "system_prompt", "prompt_template")}
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(f"{path}, line {number}: not a prompt in FastChat's format ({error})") from None
        missing = [name for name in _FASTCHAT.values() if name not in found]
        if missing:
            raise UsageError(f"{path}: no prompt '{missing[0]}'", f"It has: {', '.join(sorted(found))}.")
        self._prompts = {form: found[name] for form, name in _FASTCHAT.items()}

    @property
    def digest(self) -> str:
        return _digest(json.dumps([self._prompts[form] for form in FORMS], sort_keys=True), 16)

    def name(self, form: Form) -> str:
        return _FASTCHAT[form]

    def hash(self, form: Form) -> str:
        return _digest(json.dumps(self._prompts[form], sort_keys=True), 12)

    def messages(self, form: Form, slots: Slots) -> list[dict[str, str]]:
        prompt = self._prompts[form]
        values = _fastchat_slots(slots)
        try:
            parts = {
                "system": _PlainFormatter().vformat(prompt["system_prompt"], (), values),
                "user": _PlainFormatter().vformat(prompt["prompt_template"], (), values),
            }
        except (KeyError, IndexError, ValueError) as error:
            raise UsageError(f"{self._path}: prompt '{prompt['name']}': unknown slot {error}") from None
        return [{"role": role, "content": text} for role, text in parts.items()]


class _PlainFormatter(string.Formatter):
    """`str.format` without attributes and indices: a prompt file can name a text, and nothing inside it."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        return kwargs[field_name], field_name


def _fastchat_slots(slots: Slots) -> dict[str, str]:
    questions, answers, references = slots["questions"], slots["answers"], slots["references"]
    values = {"question": questions[0], "answer": answers[0], "lang": slots["language"], "lang1": slots["language"]}
    for kind, texts in (("question", questions), ("answer", answers), ("ref_answer", references)):
        values |= {f"{kind}_{turn}": text for turn, text in enumerate(texts, start=1)}
    return values


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: the prompt file could not be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}") from None


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
