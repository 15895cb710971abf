"""Finding tasks and profiles: the shipped folder and any folder given by --include-path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lensbench.content import content_dir
from lensbench.errors import UsageError, unknown_name
from lensbench.languages import get_language, language_of, languages
from lensbench.plugins import plugin_entries, plugin_file
from lensbench.tasks.schema import LanguageEntry, Profile, TaskFile
from lensbench.yamlio import Document, read_yaml, validated

__all__ = ["TaskEntry", "TaskRegistry", "parse_task"]


GROUP = "lensbench.tasks"
"""Entry points of other packages' task files."""

_OPEN = "open"
"""Profile of questions without a gold answer, whatever profile the other tasks of a run have."""


@dataclass(frozen=True)
class TaskEntry:
    """A task file and where it was found."""

    file: TaskFile
    path: Path
    document: Document

    @property
    def name(self) -> str:
        return self.file.task

    @property
    def folder(self) -> Path:
        return self.path.parent


class TaskRegistry:
    """All tasks and profiles that can be named.

    Args:
        include: Further folders, or single files; a later one overrides an earlier name.
        trust: Whether `!function` may name Python code (only in YAML without `languages`, which is lm-eval's own).
    """

    def __init__(self, include: Sequence[Path] = (), *, trust: bool = False) -> None:
        self.trust = trust
        self.profiles: dict[str, Profile] = {}
        self._tasks: dict[tuple[str, str], TaskEntry] = {}
        for folder in (content_dir("tasks"), *include):
            if not folder.exists():
                raise UsageError(f"no task folder at {folder}")
            for path in sorted((folder / "profiles").glob("*.yaml")):
                profile = parse_profile(path)
                self.profiles[profile.profile] = profile
            for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else [folder]:
                entry = parse_task(path, trust=trust)
                self._tasks[entry.name, entry.file.profile] = entry

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self._tasks))

    def entries(self) -> list[TaskEntry]:
        return list(self._tasks.values())

    def profile(self, name: str) -> Profile:
        """A profile by name.

        Raises:
            UsageError: unknown; names the nearest.
        """
        if name not in self.profiles:
            raise unknown_name("profile", name, self.profiles)
        return self.profiles[name]

    def find(self, name: str, profile: str) -> TaskEntry:
        """The task of a name in a profile; one that is not in it is asked under its only profile, or under `open`.

        Args:
            name: `mt_bench`, or `open_questions@mt-bench` for one profile of a task and no other.

        Raises:
            UsageError: no such task (with the nearest name), or not in this profile.
        """
        name, _, wanted = name.partition("@")
        if wanted:
            profile = self.profile(wanted).profile
        if (name, profile) in self._tasks:
            return self._tasks[name, profile]
        others = [p for n, p in self._tasks if n == name]
        if not others:
            brought = plugin_file(GROUP, name)
            if brought is None:
                raise unknown_name("task", name, [*self.names(), *plugin_entries(GROUP)])
            entry = parse_task(brought, trust=self.trust)
            self._tasks[entry.name, entry.file.profile] = entry
            others = [entry.file.profile]
        if not wanted and (len(others) == 1 or _OPEN in others):
            return self._tasks[name, others[0] if len(others) == 1 else _OPEN]
        raise UsageError(
            f"task '{name}' has no profile '{profile}'", f"It has: {', '.join(sorted(others))}. Write {name}@{others[0]}."
        )


def parse_profile(path: Path) -> Profile:
    document = read_yaml(path)
    return validated(document.data, Profile, document)


def parse_task(path: Path, *, trust: bool = False) -> TaskEntry:
    """Read one task YAML; lm-eval's own dialect (`include`, one language, no `languages`) is understood too.

    Raises:
        UsageError: with file and line: unknown key (and the nearest), wrong type, unknown language, `!function` untrusted.
    """
    document = _read_including(path, trust=trust)
    file = validated(document.data, TaskFile, document)
    for code in file.languages:
        try:
            get_language(code)
        except UsageError as error:
            raise UsageError(f"{document.where('languages', code)}: {error.message}", error.hint) from None
    if not file.languages:
        guessed = _guess_language(file)
        if guessed is None:
            raise UsageError(
                f"{path}: cannot tell the language of task '{file.task}'",
                "Neither its dataset_name nor the end of its name is a language code; add a line `languages: {sw: {}}`.",
            )
        file = file.model_copy(update={"languages": {guessed: LanguageEntry()}})
    return TaskEntry(file, path, document)


def _guess_language(file: TaskFile) -> str | None:
    """lm-eval keeps the language in the config name or in a suffix of the task name."""
    candidates: list[str | None] = [file.dataset_name, file.task.rsplit("_", 1)[-1]]
    for candidate in candidates:
        if candidate is not None and candidate in languages():
            return candidate
        for dataset in ("xwinograd", "mmmlu", "ntrex", "aya"):
            if candidate and (language := language_of(dataset, candidate)):
                return language.code
    return None


def _read_including(path: Path, *, trust: bool) -> Document:
    if trust and "!function" in _text(path):
        # lm-eval's own loader resolves the function; reached only with --trust.
        from lm_eval.tasks._yaml_loader import load_yaml

        return Document(path, load_yaml(path), {})
    document = read_yaml(path)
    includes = document.data.pop("include", None)
    if includes is None:
        return document
    merged: dict[str, object] = {}
    for name in includes if isinstance(includes, list) else [includes]:
        merged.update(_read_including(path.parent / name, trust=trust).data)
    document.data = {**merged, **document.data}
    return document


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
