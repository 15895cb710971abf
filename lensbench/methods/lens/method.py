"""LENS as a method.

A plan asks the method for its corpora in an installation without torch: what a fit needs is imported by the fit.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lensbench.datasets.sources import DataSource
from lensbench.methods.base import Fit, KeptStates, Progress
from lensbench.methods.corpora.probing import Corpora, load_corpora
from lensbench.methods.lens.config import LensConfig

if TYPE_CHECKING:
    from lensbench.backbones.load import LoadedBackbone
    from lensbench.methods.delta import Delta
    from lensbench.methods.lens.shared import SharedStates

__all__ = ["METHOD", "Lens"]


class Lens:
    """LENS (arXiv 2410.04407)."""

    name = "lens"
    config_model = LensConfig

    def corpora(
        self, source: DataSource, languages: tuple[str, ...], config: LensConfig, revisions: Mapping[str, str] | None = None
    ) -> Corpora:
        """Probing texts and parallel prompts in all languages, the central one first."""
        config.check(languages[1:])
        return load_corpora(
            source,
            languages,
            n_probe=config.n_probe,
            n_parallel=config.n_parallel,
            seed=config.seed,
            probe_text=config.probe_text,
            revisions=revisions,
        )

    def fit(
        self, loaded: LoadedBackbone, corpora: Corpora, config: LensConfig, progress: Progress, shared: SharedStates | None = None
    ) -> Delta:
        """Fit LENS; see `lens.fit.fit_lens` for what it raises.

        Args:
            shared: States that other fits read too.
        """
        from lensbench.methods.lens.fit import fit_lens

        return fit_lens(loaded, corpora, config, progress, shared)

    @contextmanager
    def together(
        self, loaded: LoadedBackbone, jobs: Sequence[tuple[Corpora, LensConfig]], kept: KeptStates | None = None
    ) -> Iterator[Fit]:
        """Several fits on one backbone, which read the states that their settings leave equal once."""
        from lensbench.methods.lens.shared import SharedStates

        with SharedStates.of([config for _, config in jobs], len(loaded.blocks), kept) as shared:
            yield functools.partial(self.fit, shared=shared)

    def load(self, folder: Path, backbone_digest: str) -> Delta:
        from lensbench.methods.delta import Delta

        return Delta.load(folder, backbone_digest)


METHOD = Lens()
