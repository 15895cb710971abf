"""Finding tasks and profiles: the shipped folder and any folder that a user includes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lensbench.content import content_dir
from lensbench.errors import LensbenchError, UsageError, unknown_name
from lensbench.languages import HOW_TO_ADD, LANGUAGES_FILE, add_languages, get_language
from lensbench.plugins import BrokenPlugin, origin_of, plugin_entries, plugin_file, try_entry
from lensbench.safenames import checked_name
from lensbench.tasks.code import refuse_code
from lensbench.tasks.including import read_including
from lensbench.tasks.lm_eval_families import lm_eval_language
from lensbench.tasks.schema import LanguageEntry, Profile, TaskFile
from lensbench.yamlio import MAX_YAML_BYTES, Document, read_yaml, validated

__all__ = ["NotATaskError", "TaskEntry", "TaskRegistry", "parse_task"]


GROUP = "lensbench.tasks"
"""Entry points of other packages' task files."""

_OPEN = "open"
"""Profile of questions without a gold answer, whatever profile the other tasks of a run have."""


class NotATaskError(UsageError):
    """A YAML file in a task folder that is meant for something else."""


@dataclass(frozen=True)
class TaskEntry:
    """A task file and where it was found."""

    file: TaskFile
    path: Path
    document: Document
    trusted: bool = False
    """Whether the task file may name Python code."""

    @property
    def name(self) -> str:
        return self.file.task

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def shipped(self) -> bool:
        """Whether it comes with lensbench."""
        return self.folder == content_dir("tasks")


class TaskRegistry:
    """All tasks and profiles that can be named.

    Args:
        include: Further folders, or single files; a later one overrides an earlier name.
        trust: Whether `!function` may name Python code (only in YAML without `languages`, which is lm-eval's own).
    """

    def __init__(self, include: Sequence[Path] = (), *, trust: bool = False) -> None:
        self.trust = trust
        self.profiles: dict[str, Profile] = {}
        self.passed_over: dict[Path, LensbenchError] = {}
        """Files of the further folders that could not be read; only asking for what is in one is an error."""
        self._tasks: dict[tuple[str, str], TaskEntry] = {}
        add_languages(include)
        for folder in (content_dir("tasks"), *include):
            if not folder.exists():
                raise UsageError(f"no task folder at {folder}")
            shipped = folder == content_dir("tasks")
            for path in sorted((folder / "profiles").glob("*.yaml")):
                try:
                    profile = parse_profile(path)
                except LensbenchError as error:
                    if shipped:
                        raise
                    self.passed_over[path] = error
                else:
                    self.profiles[profile.profile] = profile
            for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else [folder]:
                if path.name == LANGUAGES_FILE:
                    continue
                try:
                    entry = parse_task(path, trust=trust)
                except LensbenchError as error:
                    if shipped or not folder.is_dir():
                        raise
                    self.passed_over[path] = error
                else:
                    self._tasks[entry.name, entry.file.profile] = entry

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self._tasks))

    def notes(self) -> list[str]:
        """One line for each file that was passed over."""
        return [f"passed over: {str(error.args[0]).splitlines()[0]}" for error in self.passed_over.values()]

    def entries(self) -> list[TaskEntry]:
        return list(self._tasks.values())

    def of_name(self, name: str) -> list[TaskEntry]:
        """The task under each of its profiles."""
        return [entry for (known, _), entry in self._tasks.items() if known == name]

    def of_packages(self) -> list[tuple[str, TaskEntry | BrokenPlugin]]:
        """Package and task, for the tasks of installed packages whose names no folder has; or why one cannot be used."""
        found: list[tuple[str, TaskEntry | BrokenPlugin]] = []
        for name, point in plugin_entries(GROUP).items():
            if self.of_name(name):
                continue
            try:
                path = plugin_file(GROUP, name, try_entry)
                assert path is not None, "there is an entry point"
                found.append((origin_of(point), self._brought(name, path)))
            except LensbenchError as error:
                found.append((origin_of(point), BrokenPlugin(name, origin_of(point), str(error).splitlines()[0])))
        return found

    def _brought(self, name: str, path: Path) -> TaskEntry:
        """The task in a package's file.

        Raises:
            UsageError: the file is wrong, or its task has another name than the entry point.
        """
        entry = parse_task(path, trust=self.trust)
        if entry.name != name:
            raise UsageError(
                f"{path}: the task is called '{entry.name}', and the entry point of its package '{name}'", "Give both one name."
            )
        return entry

    def profile(self, name: str) -> Profile:
        """A profile by name.

        Raises:
            UsageError: unknown; names the nearest.
        """
        if name not in self.profiles:
            self._raise_passed_over(name, "profiles")
            raise unknown_name("profile", name, self.profiles)
        found = self.profiles[name]
        if found.stands_for is not None and found.stands_for != name:
            self._check_stands_for(found)
        return found

    def _check_stands_for(self, profile: Profile) -> None:
        """
        Raises:
            UsageError: the profile that it stands for is unknown, or asks or scores in another way.
        """
        other = self.profiles.get(str(profile.stands_for))
        if other is None:
            raise unknown_name(f"profile that '{profile.profile}' stands for", str(profile.stands_for), self.profiles)
        unlike = [key for key in ("chat", "scoring", "sample", "generation") if getattr(profile, key) != getattr(other, key)]
        if unlike:
            raise UsageError(
                f"profile '{profile.profile}' stands for '{other.profile}' and has another {', '.join(unlike)}",
                "Only the wording may differ: make these alike, or leave `stands_for` out.",
            )

    def find(self, name: str, profile: str) -> TaskEntry:
        """The task of a name in a profile; one that is not in it is asked under its only profile, or under `open`.

        Args:
            name: `mt_bench`, or `open_questions@mt-bench` for one profile of a task and no other.

        Raises:
            UsageError: no such task (with the nearest name), or not in this profile.
        """
        name, _, wanted = name.partition("@")
        self._raise_passed_over(name)
        if wanted:
            profile = self.profile(wanted).profile
        if (name, profile) in self._tasks:
            return self._tasks[name, profile]
        others = [p for n, p in self._tasks if n == name]
        if not others:
            brought = plugin_file(GROUP, name)
            if brought is None:
                raise unknown_name("task", name, [*self.names(), *plugin_entries(GROUP)])
            entry = self._brought(name, brought)
            self._tasks[entry.name, entry.file.profile] = entry
            others = [entry.file.profile]
        if not wanted and (len(others) == 1 or _OPEN in others):
            return self._tasks[name, others[0] if len(others) == 1 else _OPEN]
        raise UsageError(
            f"task '{name}' has no profile '{profile}'", f"It has: {', '.join(sorted(others))}. Write {name}@{others[0]}."
        )

    def _raise_passed_over(self, name: str, folder: str | None = None) -> None:
        """A file that could not be read and claims this name may not be silently replaced by another of the name."""
        for path, error in self.passed_over.items():
            if (path.parent.name == "profiles") == (folder == "profiles") and name in _claimed_names(path):
                raise error


def parse_profile(path: Path) -> Profile:
    """Read one profile.

    Raises:
        UsageError: with file and line: not readable, unknown key, wrong type, a name that cannot be part of a path.
    """
    document = read_yaml(path)
    profile = validated(document.data, Profile, document)
    checked_name(profile.profile, "profile", document.where("profile"))
    return profile


def parse_task(path: Path, *, trust: bool = False) -> TaskEntry:
    """Read one task YAML; lm-eval's own dialect (`include`, one language, no `languages`) is understood too.

    Raises:
        NotATaskError: a group of lm-eval's, or a file that only others include.
        UsageError: with file and line: unknown key (and the nearest), wrong type, unknown language, or what would run code.
    """
    document = read_including(path, trust=trust)
    _refuse_other_kinds(document)
    file = validated(document.data, TaskFile, document)
    _check_names(file, document)
    if not trust:
        refuse_code(file, document)
    for code in file.languages:
        try:
            get_language(code)
        except UsageError as error:
            raise UsageError(f"{document.where('languages', code)}: {error.message}", error.hint) from None
    if not file.languages:
        told = lm_eval_language(file.task, document.data)
        if told is None:
            raise UsageError(
                f"{path}: cannot tell the language of task '{file.task}'",
                "Neither metadata.language, its family nor its dataset_name gives it; add a line `languages: {CODE: {}}`, or "
                f"`metadata: {{language: CODE}}`. {HOW_TO_ADD}",
            )
        file = file.model_copy(update={"languages": {told: LanguageEntry()}})
    return TaskEntry(file, path, document, trust)


def _refuse_other_kinds(document: Document) -> None:
    data = document.data
    if "group" in data or isinstance(data.get("task"), list):
        named = data.get("group", "")
        listed = [str(one) for one in data["task"] if isinstance(one, str)] if isinstance(data.get("task"), list) else []
        raise NotATaskError(
            f"{document.path}: a group of lm-eval's ({str(named)[:80]}), not a task",
            f"Groups are not read; ask for its tasks by name: {', '.join(listed)[:200]}." if listed else "Groups are not read.",
        )
    if "task" not in data and "profile" not in data and "rows" not in data:
        raise NotATaskError(f"{document.path}: names no task", "A file that others include needs none; a task has `task: NAME`.")


def _check_names(file: TaskFile, document: Document) -> None:
    """Names that become parts of paths: of the run folder, of the data folder."""
    checked_name(file.task, "task", document.where("task"))
    checked_name(file.profile, "profile", document.where("profile"))
    for name in file.rows:
        checked_name(name, "data set", document.where("rows"))
    for place, entry in (((), file), *((("languages", code), entry) for code, entry in file.languages.items())):
        for key in ("training_split", "validation_split", "test_split", "fewshot_split"):
            if file.rows and (split := getattr(entry, key)) is not None:
                checked_name(split, "split", document.where(*place, key))


def _claimed_names(path: Path) -> set[str]:
    """Names under which a file that could not be read may be asked for."""
    try:
        with path.open("rb") as stream:
            head = stream.read(MAX_YAML_BYTES) if path.is_file() else b""
    except OSError:
        head = b""
    found = re.findall(rb"^(?:task|group|profile):[ \t]*[\"']?([^\s\"'#\[]+)", head, re.MULTILINE)
    return {name.decode("utf-8", "replace") for name in found} or {path.stem}
