"""Linting task files: all faults of a task that can be found without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.datasets.rows import RowsSpec
from lensbench.datasets.sources import EMBEDDED, DataSource, open_data
from lensbench.errors import LensbenchError
from lensbench.tasks.build import Item, build_items, build_task
from lensbench.tasks.checks import FLAWS, unused_columns
from lensbench.tasks.registry import NotATaskError, TaskEntry, TaskRegistry, parse_task
from lensbench.tasks.resolve import TaskInLanguage, resolve
from lensbench.tasks.schema import Profile

__all__ = ["Finding", "lint"]

MAX_ITEMS = 1000
"""Items rendered in each language: a fault of a template shows in the first ones, a wrong label may stand anywhere."""


_UNSEEN = "unseen"
"""Level of a finding that names a language without rows in the data source."""


@dataclass(frozen=True)
class Finding:
    """One thing seen while linting."""

    path: Path
    level: str
    """"error", "warning" or "ok"."""
    message: str


def lint(
    paths: list[Path], source: DataSource | None = None, *, trust: bool = False, include: Sequence[Path] = ()
) -> Iterator[Finding]:
    """Lint task files, one finding after the other; a file without an error ends with an "ok" finding.

    Items are rendered in every language that the data source has rows in (the embedded set unless another is given). The last
    finding names the other languages; it is a "warning" where no item was rendered for want of rows.

    Args:
        include: Further folders, for the profiles and row definitions that the files name.
    """
    source = source or open_data(EMBEDDED)
    registries: dict[Path, TaskRegistry] = {}
    for path in paths:
        try:
            entry = parse_task(path, trust=trust)
            if path.parent not in registries:
                registries[path.parent] = TaskRegistry([*include, path.parent], trust=trust)
            profile = _profile(entry, registries[path.parent])
        except NotATaskError as error:
            yield Finding(path, "warning", f"passed over: {error}")
            continue
        except LensbenchError as error:
            yield Finding(path, "error", error.marked)
            continue
        findings = list(_lint_entry(entry, profile, source))
        yield from (f for f in findings if f.level not in ("ok", _UNSEEN))
        if not any(f.level == "error" for f in findings):
            rendered = [f.message for f in findings if f.level == "ok"]
            unseen = [f.message for f in findings if f.level == _UNSEEN]
            codes = ", ".join(sorted(entry.file.languages))
            message = f"{entry.name} ({entry.file.profile}): {codes}; sample items rendered in {', '.join(rendered) or 'none'}"
            if unseen:
                message += f"; not looked at, without rows there: {', '.join(sorted(unseen))} ({source.describe()})"
            yield Finding(path, "warning" if unseen and not rendered else "ok", message)


def _profile(entry: TaskEntry, registry: TaskRegistry) -> Profile:
    try:
        return registry.profile(entry.file.profile)
    except LensbenchError as error:
        error.message = f"{entry.document.where('profile')}: {error.message}"
        raise


def _lint_entry(entry: TaskEntry, profile: Profile, source: DataSource) -> Iterator[Finding]:
    path = entry.path
    nowhere, unversioned = [], []
    said: set[tuple[str, str]] = set()
    on_hub = False
    wanted = ""
    if entry.file.rows and "profile" not in entry.document.data:
        yield Finding(
            path,
            "warning",
            f"names no profile, so it has the default '{entry.file.profile}'; a line such as `profile: lens-paper` says another",
        )
    for code in entry.file.languages:
        try:
            task = resolve(entry, code, profile)
            split = task.split
            specs = task.rows_specs()
            found = task.find_rows(source)
        except LensbenchError as error:
            yield Finding(path, "error", f"{code}: {error}")
            continue
        if "version" not in (task.config.get("metadata") or {}):
            unversioned.append(code)
        if not specs:
            yield Finding(path, "warning", "names its own dataset_path: licence and provenance of its rows are not recorded")
            continue
        if found is None and not any(split in spec.splits or split in spec.local_splits for spec in specs):
            # A run takes what the data source has, whether the definition lists the split or not.
            known = "; ".join(f"'{spec.rows}' has {', '.join((*spec.splits, *spec.local_splits))}" for spec in specs)
            yield Finding(path, "error", f"{entry.document.where('test_split')}: there is no split '{split}' ({known})")
            continue
        if found is None:
            yield Finding(path, _UNSEEN, code)
            on_hub = on_hub or any(spec.hub is not None for spec in specs)
            if not any(spec.on_hub(task.language) and split in spec.splits for spec in specs):
                nowhere.append(code)
                wanted = wanted or f"{specs[0].rows}/{specs[0].config_of(task.language) or code}/{split}.jsonl"
            continue
        for finding in _lint_rows(task, found, source):
            # What the file says for all languages is said once.
            if (finding.level, finding.message) not in said:
                said.add((finding.level, finding.message))
                yield finding
    if unversioned:
        yield Finding(
            path, "warning", f"{', '.join(unversioned)}: metadata.version is missing, scores cannot name what they are of"
        )
    if nowhere:
        where = f"neither {source.describe()} nor the hub has rows" if on_hub else f"{source.describe()} has no rows"
        yield Finding(path, "warning", f"{', '.join(nowhere)}: {where}; a data folder must bring them, such as {wanted} in it")


def _lint_rows(task: TaskInLanguage, spec: RowsSpec, source: DataSource) -> Iterator[Finding]:
    path, code = task.entry.path, task.language.code
    try:
        rows = source.load(spec, task.language, task.split)
        built = build_task(task, rows)
        items = build_items(task, built, _plain_chat, MAX_ITEMS)
    except LensbenchError as error:
        yield Finding(path, "error", f"{code}: {error}")
        return
    if task.config.get("output_type") == "multiple_choice" and not task.profile.generates and len(items[0].requests) < 2:
        yield Finding(path, "error", f"{code}: the sample item has {len(items[0].requests)} choice; two are needed")
        return
    yield from (Finding(path, "warning", f"{code}: {text}") for text in _doubts(items, built, task))
    if task.upstream is None:
        required = [name for name, column in spec.columns.items() if column.type == "text" and not column.optional]
        renamed = [spec.rename.get(name, name) for name in required]
        unnamed = unused_columns(task.config, renamed, task.entry.file.turns)
        for name in unnamed:
            yield Finding(path, "warning", f"no template shows the column '{name}', which every row of '{spec.rows}' has")
        for name in _unshown(items, [name for name in renamed if name not in (*unnamed, task.entry.file.turns)]):
            yield Finding(path, "warning", f"the column '{name}' is in none of the {len(items)} questions looked at")
    yield Finding(path, "ok", code)


def _unshown(items: list[Item], names: list[str]) -> list[str]:
    """Columns with texts of their own in every row that no question shows, whatever the templates name."""
    asked = ["".join("".join([*item.turns, *(part for request in item.requests for part in request)]).split()) for item in items]
    found = []
    for name in names:
        texts = ["".join(str(item.doc.get(name) or "").split()) for item in items]
        if len(set(texts)) > 1 and not any(text and text in shown for text, shown in zip(texts, asked, strict=True)):
            found.append(name)
    return found


def _doubts(items: list[Item], built: Any, task: TaskInLanguage) -> Iterator[str]:
    odd = [name for name, function in built.aggregation().items() if getattr(function, "__name__", "") not in ("mean", "nanmean")]
    if odd and not task.profile.generates:
        yield f"the metric '{odd[0]}' is no mean over items in lm-eval; results have the mean of its items all the same"
    flaws = Counter(item.flaw for item in items if item.flaw)
    for flaw, count in flaws.items():
        rows = ", ".join(str(item.doc_id + 1) for item in items if item.flaw == flaw)
        yield f"{count} of {len(items)} items cannot be scored and count as failures: {FLAWS[str(flaw)]} (rows {rows[:80]})"
    prompts = Counter((item.requests, item.turns[1:]) for item in {item.row: item for item in items}.values())
    again = sum(count - 1 for count in prompts.values())
    if again:
        yield f"{again} of {len(items)} items ask what another row asks already"
    if task.profile.generates or task.upstream is not None or built.config.output_type != "multiple_choice":
        return
    delimiter = built.config.target_delimiter or ""
    first = items[0].requests[0]
    choice = first[1].removeprefix(delimiter)
    if delimiter[-1:].isspace() and choice[:1].isspace():
        yield f"target_delimiter {delimiter!r} and the choice {choice[:20]!r} both have white space: two blanks before the choice"
    joined = first[0][-1:] + first[1][:1]
    if task.language.spaced and task.profile.scoring == "loglikelihood" and joined.isalnum() and len(joined) == 2:
        yield f"the question's last word and the choice run together: {(first[0][-20:] + first[1][:20])!r} (target_delimiter)"


def _plain_chat(messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
    """A stand-in template for linting, where no tokenizer is at hand."""
    return "\n".join(f"[{m['role']}] {m['content']}" for m in messages)
