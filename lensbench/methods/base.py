"""Interface of methods and enhancements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lensbench.datasets.sources import DataSource, Origin
from lensbench.jsonio import JsonObject
from lensbench.methods.config import MethodConfig
from lensbench.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from lensbench.backbones.load import LoadedBackbone

__all__ = ["Cost", "Enhancement", "Fit", "KeptStates", "Method", "Progress", "SharesFits", "SilentProgress", "TrainingData"]


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
    """Of the wall seconds, those that an earlier start, or another fit of the same run, spent on what this one took over."""
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
    """The result of a fit.

    After the fit and before `save`, lensbench applies it once in every language and tests it (`lensbench.methods.check`): states
    below `first_changed_layer` are unchanged, the last state is finite, and afterwards the backbone computes as before the fit.
    """

    @property
    def first_changed_layer(self) -> int:
        """0-based index of the first block whose output may differ from the backbone's; the number of blocks if only what
        follows the blocks does."""
        ...

    @property
    def mergeable(self) -> bool:
        """Whether `applied` only changes weights, in the same way for every language."""
        ...

    @property
    def digest(self) -> str:
        """Digest of everything that can change an answer: the fitted values, and every setting that `applied` reads, such as a
        strength. A continued run keeps its scores as long as the digest is the same, so a setting that is missing here gives
        scores of another setting."""
        ...

    def applied(self, loaded: LoadedBackbone, language: str) -> AbstractContextManager[None]:
        """The backbone as this variant while the context lasts; afterwards all hooks and changes are removed.

        A `contextlib.nullcontext` (that very type) says that the language is left alone: the variant is then not computed apart
        from the backbone.

        A hook may rely on this: a forward pass holds one or more rows, padded on either side, with an attention mask for the
        pads. A prompt is read first. In a decoding step, the cache in `past_key_values` is filled and each row has one new token;
        a prompt of one token also has one position, so tell the two apart by `past_key_values.get_seq_length()`. In scoring, a
        row is a prompt and its continuation. A hook for the last token of a prompt sets `loaded.wants_prompt_ends = True` while
        it is applied, and reads its index for each row from `loaded.prompt_ends` (-1 is a row without a prompt; None means that
        every row ends with its prompt). The same hook must give the same result for any batch, or scores depend on
        `batch_size`.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs into a folder, which may not exist yet.

        The last file is `card.json`, a JSON object: a folder with a card is a complete enhancement. It holds at least `cost`
        (`Cost.as_dict()`), and what `load` needs to refuse another backbone, such as `backbone_digest`. Settings that `applied`
        reads belong into it too. A fit without a card counts as failed.
        """
        ...


Fit = Callable[..., Enhancement]
"""`Method.fit`: backbone, training data, configuration, progress -> enhancement."""


class KeptStates(Protocol):
    """Tensors of fits that later runs on the same backbone may read again. No fault of the disk ends a fit."""

    def read(self, key: Sequence[int | str]) -> tuple[dict[str, Any], float] | None:
        """Tensors by name, on the CPU, and the seconds that they took; None if there are none.

        Args:
            key: Everything that decides them beside the backbone and where it computes.
        """
        ...

    def write(self, key: Sequence[int | str], tensors: Mapping[str, Any], seconds: float) -> None:
        """Keep tensors, in place of those that were there."""
        ...


@runtime_checkable
class SharesFits(Protocol):
    """A method whose fits with several settings have work in common."""

    def together(
        self, loaded: LoadedBackbone, jobs: Sequence[tuple[Any, Any]], kept: KeptStates | None = None
    ) -> AbstractContextManager[Fit]:
        """A context that gives a `fit` for some jobs, which are called one after the other, each at most once.

        A job that fails leaves what it shares usable for the others. The backbone is the same object, and unchanged, at every
        call.

        Args:
            jobs: Training data and configuration of every fit to come.
            kept: What earlier runs kept; None keeps nothing beyond the context.
        """
        ...


class Method(Protocol):
    """A way to enhance a backbone. A method may also be a `SharesFits`."""

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
        """Learn, and leave the backbone as it was: no hook, parameter or changed value stays.

        Any error ends this fit only; the run names it and fits the other methods.
        """
        ...

    def load(self, folder: Path, backbone_digest: str) -> Enhancement:
        """What `Enhancement.save` wrote. It is what a run scores, also right after the fit.

        Raises:
            RunError: the folder is damaged, or was fitted on a backbone of another digest.
        """
        ...
