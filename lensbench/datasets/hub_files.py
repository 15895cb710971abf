"""Which files of a hub repository hold one split of one configuration. Only data files are read; loading scripts never run."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lensbench.errors import UnavailableError, UsageError
from lensbench.hub import Finder, Snapshot, fetch, find_snapshot, list_files, parquet_export
from lensbench.jsonio import JsonObject
from lensbench.yamlio import read_yaml

__all__ = ["HubFiles", "find_hub_files"]

ENDINGS = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
_CARD = "README.md"
_DEFAULT = "default"
_SAME = {
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
    "train": ("train", "training"),
}


@dataclass(frozen=True)
class HubFiles:
    """The files of one split."""

    snapshot: Snapshot
    files: Mapping[str, int]
    """Path -> bytes, in the order of the rows."""
    partial: bool = False
    """The hub's export stops after the first gigabytes of the set."""


def find_hub_files(
    repository: str, revision: str, config: str | None, split: str, wanted: str, find: Finder = find_snapshot
) -> HubFiles:
    """The files that hold a split.

    Rules, the first that applies: what the README's `configs` say; the folders CONFIG/SPLIT of a parquet export; for a script
    repository, or one without `configs` whose files' names do not say it, the hub's own parquet export.

    Args:
        revision: A branch, a tag, or a commit of the repository or of its parquet export.
        config: None where the set has one for all languages.
        wanted: What to call it in a message.
        find: What finds a snapshot, where it is to be remembered.

    Raises:
        HubError: see `lensbench.hub`.
        UnavailableError: the repository is there, and has no such configuration or split; says which it has.
    """
    snapshot = find(repository, "dataset", revision, wanted)
    listing = list_files(snapshot, wanted)
    configs = _configs(snapshot, listing, wanted)
    if configs:
        return HubFiles(snapshot, _by_card(configs, listing, config, split, wanted))
    exported = _by_folders(listing, config, split)
    if exported:
        return HubFiles(snapshot, *exported)
    if not _has_script(repository, listing):
        named = _by_names(listing, config, split)
        if named:
            return HubFiles(snapshot, named)
    export = parquet_export(repository, wanted, find)
    listing = list_files(export, wanted)
    exported = _by_folders(listing, config, split)
    if not exported:
        has = sorted({"/".join(path.split("/")[:2]) for path in listing if path.endswith(".parquet")})
        raise UnavailableError(
            f"could not get {wanted}: the hub's parquet export of {repository} has no folder {config or _DEFAULT}/{split}",
            f"It has {', '.join(has[:20])}{' ...' if len(has) > 20 else ''}.",
        )
    return HubFiles(export, *exported)


def _configs(snapshot: Snapshot, listing: Mapping[str, int], wanted: str) -> dict[str, JsonObject]:
    """The configurations of a README that name data files, by name."""
    if _CARD not in listing:
        return {}
    path = fetch(snapshot, {_CARD: listing[_CARD]}, wanted) / _CARD
    card = path.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n")
    head = re.match(r"---[ \t]*\n(.*?)\n---[ \t]*(\n|$)", card, re.DOTALL)
    found = _read_head(head.group(1), path).get("configs") if head else None
    return {
        str(entry["config_name"]): entry
        for entry in found or ()
        if isinstance(entry, dict) and "config_name" in entry and ("data_files" in entry or "data_dir" in entry)
    }


def _read_head(text: str, path: Path) -> JsonObject:
    import tempfile

    # The one YAML reader, with its limits, reads files.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"{path.parent.name[:12]}-README.yaml"
        copy.write_text(text + "\n", encoding="utf-8")
        try:
            found = read_yaml(copy).data
        except UsageError:
            # A head that is no YAML names no files; the other rules may still find them.
            return {}
    return found if isinstance(found, dict) else {}


def _by_card(
    configs: Mapping[str, Mapping[str, Any]], listing: Mapping[str, int], config: str | None, split: str, wanted: str
) -> dict[str, int]:
    name = config
    if name is None:
        default = [key for key, entry in configs.items() if entry.get("default") or key == _DEFAULT]
        name = default[0] if default else next(iter(configs)) if len(configs) == 1 else None
    if name is None or name not in configs:
        raise UnavailableError(
            f"could not get {wanted}: the set has no configuration {name or _DEFAULT}", f"It has {', '.join(sorted(configs))}."
        )
    patterns = _patterns(configs[name])
    if split not in patterns:
        raise UnavailableError(f"could not get {wanted}: {name} has no split {split}", f"It has {', '.join(sorted(patterns))}.")
    found = {path: listing[path] for pattern in patterns[split] for path in sorted(listing) if _matches(path, pattern)}
    if not found:
        raise UnavailableError(
            f"could not get {wanted}: the set's README names {', '.join(patterns[split])}, and the repository has no such file"
        )
    return found


def _patterns(entry: Mapping[str, Any]) -> dict[str, list[str]]:
    """Split -> patterns of paths. `data_files` may be a pattern, a list of them or of splits, or a mapping of splits."""
    folder = str(entry.get("data_dir") or "").strip("/")
    given = entry.get("data_files", "**")
    if isinstance(given, str) or (isinstance(given, list) and all(isinstance(one, str) for one in given)):
        given = {"train": given}
    if isinstance(given, list):
        given = {str(one.get("split", "train")): one.get("path", []) for one in given if isinstance(one, dict)}
    found = {str(split): [paths] if isinstance(paths, str) else [str(path) for path in paths] for split, paths in given.items()}
    return {split: [f"{folder}/{path}" if folder else path for path in paths] for split, paths in found.items()}


def _matches(path: str, pattern: str) -> bool:
    """Whether a pattern means a path: `*` stays within a folder, `**` does not."""
    pattern = pattern.removeprefix("./").lstrip("/")
    translated = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*")
    translated = translated.replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.fullmatch(translated, path) is not None or ("[" in pattern and fnmatch.fnmatchcase(path, pattern))


def _by_folders(listing: Mapping[str, int], config: str | None, split: str) -> tuple[dict[str, int], bool] | None:
    """CONFIG/SPLIT/*.parquet, as the hub's export has them; whether it is the first part of the split only."""
    for folder, partial in ((split, False), (f"partial-{split}", True)):
        place = rf"{re.escape(config or _DEFAULT)}/{re.escape(folder)}/[^/]+\.parquet"
        found = {path: size for path, size in sorted(listing.items()) if re.fullmatch(place, path)}
        if found:
            return found, partial
    return None


def _by_names(listing: Mapping[str, int], config: str | None, split: str) -> dict[str, int] | None:
    """Files whose own names, or folders, are a split's; a repository of one data file has it as `train`."""
    data = {p: n for p, n in sorted(listing.items()) if _is_data(p)}
    if config is not None:
        data = {p: n for p, n in data.items() if config in PurePosixPath(p).parts[:-1]}
    words = next((same for same in _SAME.values() if split in same), (split,))
    every = [word for same in _SAME.values() for word in same]
    found = {p: n for p, n in data.items() if _says(p, words)}
    if found:
        return found
    if split == "train" and len(data) == 1 and not any(_says(p, every) for p in data):
        return data
    return None


def _says(path: str, words: tuple[str, ...] | list[str]) -> bool:
    parts = re.split(r"[/._\- ]+", path)
    return any(word in parts for word in words)


def _is_data(path: str) -> bool:
    name = path.removesuffix(".gz")
    return name.endswith(ENDINGS) and not PurePosixPath(path).name.startswith((".", "dataset_info"))


def _has_script(repository: str, listing: Mapping[str, int]) -> bool:
    return f"{repository.split('/')[-1]}.py" in listing
