"""Interface of methods and enhancements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lensbench.datasets.sources import DataSource, Origin
from lensbench.jsonio import JsonObject
from lensbench.methods.config import MethodConfig
from lensbench.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from lensbench.backbones.load import LoadedBackbone

__all__ = ["Cost", "Enhancement", "Method", "Progress", "SilentProgress", "TrainingData"]


@dataclass(frozen=True)
class Cost:
    """Cost of fitting."""

    wall_seconds: float
    gpu_seconds: float | None
    peak_bytes: int | None
    """Memory at its highest, weights included, without what Python, its libraries and the tokenizer held before the weights were
    loaded; None where the system cannot tell."""
    floor_bytes: int
    """Frozen weights plus weights, gradients and optimiser states of what is trained: the least such a fit can hold."""
    trainable_parameters: int
    total_parameters: int
    training_items: int
    training_tokens: int
    steps: int
    cached_seconds: float = 0.0
    """Of the wall seconds, those an earlier start spent on what this one read from the cache."""
    generated_tokens: int = 0
    """Written on this machine on the way to the training items, in this start or an earlier one."""
    server_tokens: int = 0
    """Written by a server on the way, as it counted them."""
    translated_texts: int = 0
    translated_characters: int = 0
    """Characters of the translated texts."""
    stages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Cost of each stage before the training, if the method has such stages."""

    @property
    def trainable_share(self) -> float:
        return self.trainable_parameters / self.total_parameters

    def as_dict(self) -> JsonObject:
        return {**asdict(self), "trainable_share": self.trainable_share}


class TrainingData(Protocol):
    """Training data of a method; each method has its own type."""

    @property
    def origins(self) -> Mapping[str, Origin]:
        """`<rows>/<language>` -> where they came from."""
        ...

    def texts(self) -> Iterable[str]:
        """Every text the method sees: looked for among the items that are evaluated."""
        ...


class Enhancement(Protocol):
    """The result of a fit."""

    @property
    def first_changed_layer(self) -> int:
        """0-based index of the first block whose output may differ from the backbone's."""
        ...

    @property
    def mergeable(self) -> bool:
        """Whether `applied` only changes weights, in the same way for every language."""
        ...

    @property
    def digest(self) -> str:
        """Digest of everything that can change an answer."""
        ...

    def applied(self, loaded: LoadedBackbone, language: str) -> AbstractContextManager[None]:
        """The backbone as this variant while the context lasts.

        A `contextlib.nullcontext` says that the language is left alone: the variant is then not computed apart from the backbone.
        """
        ...

    def save(self, folder: Path) -> None: ...


class Method(Protocol):
    """A way to enhance a backbone."""

    name: str
    config_model: type[MethodConfig]

    def corpora(
        self, source: DataSource, languages: tuple[str, ...], config: Any, revisions: Mapping[str, str] | None = None
    ) -> TrainingData:
        """Load and check the training data, in the method's own type, before any model is loaded.

        Args:
            languages: Codes, the central language first.
            revisions: Hub commit by row definition, when a run goes on.
        """
        ...

    def fit(self, loaded: LoadedBackbone, corpora: Any, config: Any, progress: Progress) -> Enhancement:
        """Learn, and leave the backbone as it was."""
        ...

    def load(self, folder: Path, backbone_digest: str) -> Enhancement: ...
