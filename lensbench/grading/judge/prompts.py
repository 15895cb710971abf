"""A question and its answers as the judge's messages: our own Jinja files, or a prompt file in FastChat's format."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import jinja2

from lensbench.errors import DataError, UsageError
from lensbench.grading.judge.schema import PromptFiles
from lensbench.jsonio import read_bounded, read_json_lines
from lensbench.sandbox import SafeEnvironment, limited

__all__ = ["FORMS", "Form", "PromptSet", "Slots", "load_prompts", "render_blocks"]

Form = Literal["turn1", "turn1_reference", "turn2", "turn2_reference"]
_MAX_BYTES = 2**20
FORMS: tuple[Form, ...] = ("turn1", "turn1_reference", "turn2", "turn2_reference")

Slots = Mapping[str, Any]
"""`questions`, `answers`, `references` (lists of texts by turn; references may be empty) and `language` (English name)."""

_KEYS = ("name", "system_prompt", "prompt_template")
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
        UsageError: a file is missing, is not a template, lacks a block or prompt, or does not show what is to be graded.
    """
    prompts: PromptSet
    if files.fastchat is not None:
        prompts = _FastChat(folder / files.fastchat)
    else:
        prompts = _Jinja({form: folder / str(getattr(files, form)) for form in FORMS})
    for form in FORMS:
        _refuse_blind(prompts, form, folder)
    return prompts


def _refuse_blind(prompts: PromptSet, form: Form, folder: Path) -> None:
    """
    Raises:
        UsageError: a prompt is the same whatever the question, the answer or the reference: each verdict would be about nothing.
    """
    turns = 2 if form.startswith("turn2") else 1
    kinds = ("questions", "answers", *(["references"] if form.endswith("reference") else []))
    slots = {kind: [f"{kind} {turn}" for turn in range(1, turns + 1)] for kind in kinds}
    plain = {"references": [], "language": "Chinese", **slots}
    shown = prompts.messages(form, plain)
    for kind in kinds:
        if prompts.messages(form, {**plain, kind: [*slots[kind][:-1], "another text"]}) == shown:
            last = f" of turn {turns}" if turns > 1 else ""
            raise UsageError(
                f"{folder}: the prompt '{prompts.name(form)}' does not show the {kind.removesuffix('s')}{last}",
                "The judge would grade what it has not read. The files under judges/prompts name every slot.",
            )


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
        found: dict[str, dict[str, str]] = {}
        try:
            for number, prompt in read_json_lines(path):
                name, lacking = str(prompt.get("name")), [key for key in _KEYS if not isinstance(prompt.get(key), str)]
                if lacking:
                    raise UsageError(f"{path}, line {number}: not a prompt in FastChat's format: '{lacking[0]}' is no text")
                if name in found:
                    raise UsageError(f"{path}, line {number}: a second prompt '{name[:80]}'")
                found[name] = {key: prompt[key] for key in _KEYS}
        except DataError as error:
            raise UsageError(error.message, error.hint) from None
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
        except KeyError as error:
            raise UsageError(f"{self._path}: prompt '{prompt['name']}': unknown slot {error}") from None
        except (IndexError, ValueError) as error:
            raise UsageError(f"{self._path}: prompt '{prompt['name']}': {error}"[:400]) from None
        return [{"role": role, "content": text} for role, text in parts.items()]


class _PlainFormatter(string.Formatter):
    """`str.format` without attributes and indices: a prompt file can name a text, and nothing inside it."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        # A width makes a text of any length.
        if format_spec:
            raise ValueError(f"the width or format ':{format_spec[:40]}' is not read")
        return str(value)


def _fastchat_slots(slots: Slots) -> dict[str, str]:
    questions, answers, references = slots["questions"], slots["answers"], slots["references"]
    values = {"question": questions[0], "answer": answers[0], "lang": slots["language"], "lang1": slots["language"]}
    for kind, texts in (("question", questions), ("answer", answers), ("ref_answer", references)):
        values |= {f"{kind}_{turn}": text for turn, text in enumerate(texts, start=1)}
    return values


def _read(path: Path) -> str:
    try:
        return read_bounded(path, _MAX_BYTES).decode("utf-8-sig")
    except DataError as error:
        raise UsageError(f"the prompt file cannot be used: {error.message}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}") from None


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
