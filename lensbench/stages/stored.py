"""An enhancement on disk that is read when it is applied, so that hundreds of variants need not be in memory at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from lensbench.backbones.load import LoadedBackbone
from lensbench.jsonio import JsonObject
from lensbench.methods.base import Enhancement
from lensbench.records import RunFolder
from lensbench.spec import VariantChoice
from lensbench.stages.variants import load_fitted

__all__ = ["StoredEnhancement", "load_stored"]


class StoredEnhancement:
    """What `load` reads, which is an enhancement too.

    It is read once at the start, so that damage is found before anything is asked, and let go of.

    Args:
        load: Reads and checks the enhancement.
        nbytes: Size of its files.
    """

    def __init__(self, load: Callable[[], Enhancement], nbytes: int) -> None:
        self._load, self.nbytes = load, nbytes
        self._held: Enhancement | None = None
        first = load()
        self.first_changed_layer, self.mergeable, self.digest = first.first_changed_layer, first.mergeable, first.digest
        self.card: JsonObject = getattr(first, "card", {})

    def applied(self, loaded: LoadedBackbone, language: str) -> AbstractContextManager[None]:
        """As the enhancement's own; it stays in memory until `release`.

        Raises:
            RunError: the folder has been changed since the start.
        """
        return self._now().applied(loaded, language)

    def save(self, folder: Path) -> None:
        self._now().save(folder)

    def release(self) -> None:
        """Let go of what was read; the next `applied` reads it again."""
        self._held = None

    @property
    def is_held(self) -> bool:
        """Whether it is in memory."""
        return self._held is not None

    def _now(self) -> Enhancement:
        if self._held is None:
            self._held = self._load()
        return self._held


def load_stored(folder: RunFolder, choice: VariantChoice, backbone_digest: str) -> StoredEnhancement:
    """What a fit left in the run's folder.

    Raises:
        RunError: it is damaged, or of another backbone.
    """
    home = folder.enhancement(choice.name)
    nbytes = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    return StoredEnhancement(lambda: load_fitted(folder, choice, backbone_digest), nbytes)
