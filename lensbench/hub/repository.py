"""Commits, listings and files of a repository, from the hub or from what was fetched earlier."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.errors import UnavailableError
from lensbench.hub.faults import PASSING, STANDING_IN, HubError, fault_of, hub_error
from lensbench.hub.place import endpoint, hub_cache, offline
from lensbench.hub.watch import bytes_shown, notify, silent_bar

__all__ = ["Finder", "Snapshot", "briefly", "cached_size", "fetch", "find_snapshot", "list_files", "parquet_export"]

PARQUET = "refs/convert/parquet"
"""The branch on which the hub keeps a data set's rows as parquet, made by its own servers: CONFIG/SPLIT/0000.parquet."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SECONDS, _SECONDS_BRIEF = 20, 5
_TRIES = 5
_LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Snapshot:
    """A repository at a commit."""

    repository: str
    kind: str
    """"model" or "dataset"."""
    revision: str
    """The requested revision: a branch, a tag or the commit."""
    commit: str
    stale: str | None = None
    """Why the commit is that of an earlier start and not what the hub has now; None when the hub said so itself."""

    @property
    def folder(self) -> Path:
        return _home(self.repository, self.kind) / "snapshots" / self.commit

    @property
    def name(self) -> str:
        return f"{self.repository}@{self.commit[:12]}"


def find_snapshot(repository: str, kind: str, revision: str, wanted: str | None = None) -> Snapshot:
    """The commit that a revision names: one request, and none for a commit.

    Args:
        wanted: What to call it in a message.

    Raises:
        HubError: the hub has no such thing, or is out of reach and nothing was fetched earlier.
    """
    wanted = wanted or f"{kind} {repository}"
    if _COMMIT.fullmatch(revision):
        return Snapshot(repository, kind, revision, revision)
    try:
        ref = _home(repository, kind) / "refs" / revision
    except ValueError as error:
        raise hub_error(wanted, error, repository=repository, kind=kind) from None
    try:
        commit = _retried(lambda: _ask_commit(repository, kind, revision))
    except Exception as error:
        fault, _ = fault_of(error)
        if fault in STANDING_IN and ref.is_file():
            commit = ref.read_text(encoding="ascii", errors="replace").strip()
            if _COMMIT.fullmatch(commit):
                if fault != "offline":
                    notify(
                        f"{wanted}: {fault}; the commit of {time.strftime('%Y-%m-%d', time.gmtime(ref.stat().st_mtime))} is used"
                    )
                return Snapshot(repository, kind, revision, commit, stale=fault)
        raise hub_error(wanted, error, repository=repository, kind=kind) from None
    try:
        # In huggingface_hub's own layout, so that it is found without a network, by other programs too.
        if not ref.is_file() or ref.read_text(encoding="ascii", errors="replace") != commit:
            ref.parent.mkdir(parents=True, exist_ok=True)
            half = ref.with_name(f"{ref.name}.{os.getpid()}.part")
            half.write_text(commit, encoding="ascii")
            half.replace(ref)
    except OSError as error:
        raise hub_error(wanted, error, repository=repository, kind=kind) from None
    return Snapshot(repository, kind, revision, commit)


_brief: ContextVar[bool] = ContextVar("brief", default=False)


@contextmanager
def briefly() -> Iterator[None]:
    """Ask once, and wait for no more than seconds: for a look that may fail."""
    token = _brief.set(True)
    try:
        yield
    finally:
        _brief.reset(token)


Finder = Callable[[str, str, str, str], Snapshot]


def parquet_export(repository: str, wanted: str, find: Finder = find_snapshot) -> Snapshot:
    """The hub's own parquet export of a data set.

    Args:
        find: What finds a snapshot, where it is to be remembered.

    Raises:
        HubError: there is none ("script"), or another fault.
    """
    try:
        return find(repository, "dataset", PARQUET, wanted)
    except HubError as error:
        if error.fault == "no revision":
            raise hub_error(wanted, HubError("", fault="script"), repository=repository, kind="dataset") from None
        raise


def list_files(snapshot: Snapshot, wanted: str | None = None) -> dict[str, int]:
    """Every file of a repository at a commit, and its bytes. Asked once for a commit and kept.

    Raises:
        HubError: see `find_snapshot`.
    """
    known = _kept_listing(snapshot)
    if known is None and not _offline_for(snapshot):
        try:
            # With a pattern that no file has, nothing is fetched but the listing.
            _retried(lambda: _download(snapshot, ["no file has this name"], silent_bar()))
            known = _kept_listing(snapshot)
        except Exception as error:
            if fault_of(error)[0] not in STANDING_IN or not snapshot.folder.is_dir():
                raise hub_error(wanted or snapshot.name, error, repository=snapshot.repository, kind=snapshot.kind) from None
    if known is None:
        on_disk = [path for path in snapshot.folder.rglob("*") if path.is_file()] if snapshot.folder.is_dir() else []
        known = {path.relative_to(snapshot.folder).as_posix(): path.stat().st_size for path in on_disk}
    if not known and _offline_for(snapshot):
        why = HubError("", fault=snapshot.stale or "offline")
        raise hub_error(wanted or snapshot.name, why, repository=snapshot.repository, kind=snapshot.kind)
    return known


def cached_size(snapshot: Snapshot, files: dict[str, int]) -> int:
    """Bytes of these files that are on this machine already."""
    return sum(size for path, size in files.items() if (snapshot.folder / path).is_file())


def fetch(snapshot: Snapshot, files: dict[str, int], wanted: str | None = None) -> Path:
    """Have these files on this machine, and notify where.

    Args:
        files: Path in the repository -> bytes, of `list_files`.

    Returns:
        The folder that holds them under their paths.

    Raises:
        HubError: see `find_snapshot`; also a full disk, a connection that is cut.
    """
    missing = {path: size for path, size in files.items() if not (snapshot.folder / path).is_file()}
    if not missing:
        return snapshot.folder
    wanted = wanted or snapshot.name
    if _offline_for(snapshot):
        # What keeps the hub from us is still so: it was asked for the commit a moment ago.
        why = HubError("", fault=snapshot.stale or "offline")
        raise hub_error(wanted, why, repository=snapshot.repository, kind=snapshot.kind)
    try:
        with bytes_shown(f"fetching {snapshot.name}", sum(missing.values())) as bar:
            _retried(lambda: _download(snapshot, [_literally(path) for path in missing], bar))
    except UnavailableError:
        raise
    except Exception as error:
        raise hub_error(wanted, error, repository=snapshot.repository, kind=snapshot.kind) from None
    absent = [path for path in missing if not (snapshot.folder / path).is_file()]
    if absent:
        raise HubError(f"could not get {wanted}: {absent[0]} did not arrive", f"See {endpoint()}.", fault="no file")
    return snapshot.folder


def _ask_commit(repository: str, kind: str, revision: str) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    if offline():
        raise OfflineModeIsEnabled("HF_HUB_OFFLINE is set")
    found = (
        HfApi(endpoint=endpoint())
        .repo_info(repository, repo_type=kind, revision=revision, timeout=_SECONDS_BRIEF if _brief.get() else _SECONDS)
        .sha
    )
    if not found or not _COMMIT.fullmatch(found):
        raise ValueError(f"the hub named no commit for {repository}")
    return found


def _download(snapshot: Snapshot, patterns: Sequence[str], bar: Any) -> None:
    from huggingface_hub import snapshot_download

    with _unheard():
        snapshot_download(
            snapshot.repository,
            repo_type=snapshot.kind,
            revision=snapshot.commit,
            cache_dir=hub_cache(),
            endpoint=endpoint(),
            allow_patterns=list(patterns),
            tqdm_class=bar,
        )


@contextmanager
def _unheard() -> Iterator[None]:
    """Without huggingface_hub's own warnings: of retries, which we notify ourselves, and of patterns that mean no file."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _retried(ask: Callable[[], Any]) -> Any:
    """Ask again where the fault may pass: after what the hub says, else after 1, 2, 4 and 8 seconds."""
    named = os.environ.get("LENSBENCH_HUB_TRIES", "")
    tries = max(1, int(named)) if re.fullmatch(r"[0-9]{1,2}", named) else _TRIES
    if _brief.get():
        tries = 1
    for number in range(1, tries + 1):
        try:
            return ask()
        except Exception as error:
            fault, status = fault_of(error)
            if number == tries or fault not in PASSING:
                raise
            wait = _asked_to_wait(error)
            seconds = min(2.0 ** (number - 1), _LONGEST_WAIT) if wait is None else wait
            if seconds > _LONGEST_WAIT:
                raise
            notify(
                f"the hub: {fault}{f' ({status})' if status else ''}; asking again in {seconds:.0f} s ({number} of {tries - 1})"
            )
            time.sleep(seconds)
    raise AssertionError("unreachable")


def _asked_to_wait(error: BaseException) -> float | None:
    """Seconds of a Retry-After header; None where the reply has none that can be read."""
    value = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
    return float(value) if re.fullmatch(r"\d{1,6}(\.\d+)?", value) else None


def _offline_for(snapshot: Snapshot) -> bool:
    return offline() or (snapshot.stale is not None)


def _kept_listing(snapshot: Snapshot) -> dict[str, int] | None:
    try:
        from huggingface_hub import get_cached_repo_tree
        from huggingface_hub.errors import CachedRepoTreeNotFoundError
    except ImportError:
        return None
    try:
        found = get_cached_repo_tree(
            snapshot.repository, repo_type=snapshot.kind, revision=snapshot.commit, cache_dir=hub_cache()
        )
    except CachedRepoTreeNotFoundError:
        return None
    return {file.path: int(file.lfs.size if file.lfs is not None else file.size) for file in found}


def _home(repository: str, kind: str) -> Path:
    from huggingface_hub.file_download import repo_folder_name

    return hub_cache() / repo_folder_name(repo_id=repository, repo_type=kind)


def _literally(path: str) -> str:
    """A path as a pattern that means this path only."""
    return re.sub(r"([\[\]*?])", r"[\1]", path)
