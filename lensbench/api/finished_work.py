"""The store of finished work that runs share: what it holds, and removing it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lensbench.api.arguments import names, one_of
from lensbench.api.rendering import Block, TextTable, View
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject

if TYPE_CHECKING:
    from lensbench.reuse import Held

__all__ = ["CacheContents", "cache_contents", "cache_folder", "check_cache", "clear_cache"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@dataclass(frozen=True)
class CacheContents:
    """What the store holds.

    Attributes:
        folder: Where it is.
        limit: Bytes that it may hold; 0: it is switched off.
        entries: By kind and backbone.
        others: Bytes of the other folders of the cache folder by name, such as replies of judges and converted models.
    """

    folder: Path
    limit: int
    entries: Sequence[Held]
    others: JsonObject

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(one.size for one in self.entries)

    def as_dict(self) -> JsonObject:
        return {
            "folder": str(self.folder),
            "limit": self.limit,
            "size": self.size,
            "entries": [asdict(one) for one in self.entries],
            "others": self.others,
        }

    def view(self) -> View:
        """The contents as a person reads them."""
        from lensbench.hub import size_text

        limit = size_text(self.limit) if self.limit else "0: the cache is switched off"
        blocks: list[Block] = [f"{self.folder}: {size_text(self.size)}; limit {limit} (LENSBENCH_CACHE_SIZE)"]
        if self.entries:
            rows = [
                (
                    one.kind,
                    one.backbone if one.backbone is not None else "cannot be read",
                    f"{one.entries:,}",
                    f"{one.count:,}",
                    size_text(one.size),
                    time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used)),
                )
                for one in self.entries
            ]
            blocks.append(TextTable(("kind", "backbone", "entries", "results", "size", "last used"), rows))
        if self.others:
            told = ", ".join(f"{name} {size_text(size)}" for name, size in self.others.items())
            blocks.append(f"beside it in {self.folder.parent}: {told}. The limit and `clear` do not concern them.")
        return View(blocks)

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()


def cache_folder() -> Path:
    """The folder of the store. It need not exist yet."""
    from lensbench.reuse import store_folder

    return store_folder()


def check_cache(cache: bool) -> Path | None:
    """The folder of the store, if a run uses it.

    Raises:
        UsageError: `LENSBENCH_CACHE_SIZE` is no size.
    """
    from lensbench.reuse import size_limit

    return cache_folder() if cache and size_limit() else None


def cache_contents() -> CacheContents:
    """What the store of finished work holds.

    Raises:
        UsageError: `LENSBENCH_CACHE_SIZE` is no size.
    """
    from lensbench.reuse import held, other_bytes, size_limit

    folder = cache_folder()
    return CacheContents(folder, size_limit(), held(folder), other_bytes(folder.parent, folder))


def clear_cache(kinds: Sequence[str] = (), *, older_than: str | None = None) -> tuple[int, int]:
    """Remove entries of the store. Runs and their folders stay as they are.

    Args:
        kinds: `scores`, `answers`, `identified`, `noise`, `fits`, `states`; empty: all.
        older_than: Only what was not used for so long: a number with s, m, h, d or w, such as "30d".

    Returns:
        Files removed, and their bytes.

    Raises:
        UsageError: an unknown kind (with the nearest), or no duration.
    """
    from lensbench.reuse import KINDS, clear

    wanted = tuple(one_of("kind", kind, KINDS) for kind in names("kind", kinds, "scores")) or KINDS
    seconds = None
    if older_than is not None:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", older_than.strip(), re.ASCII)
        if found is None:
            raise UsageError(f"``older_than={older_than}`` is no duration", "Examples: 30d, 12h, 2w.")
        seconds = float(found[1]) * _SECONDS[found[2]]
    return clear(cache_folder(), wanted, seconds)
