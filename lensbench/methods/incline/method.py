"""INCLINE as a method.

A plan asks the method for its corpora in an installation without torch: what a fit needs is imported by the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lensbench.datasets.sources import DataSource
from lensbench.methods.base import Progress
from lensbench.methods.incline.config import InclineConfig
from lensbench.methods.incline.pairs import PairCorpora, load_pairs

if TYPE_CHECKING:
    from lensbench.backbones.load import LoadedBackbone
    from lensbench.methods.incline.intervention import Intervention

__all__ = ["METHOD", "Incline"]


class Incline:
    """INCLINE (arXiv 2410.12462)."""

    name = "incline"
    config_model = InclineConfig

    def corpora(
        self, source: DataSource, languages: tuple[str, ...], config: InclineConfig, revisions: Mapping[str, str] | None = None
    ) -> PairCorpora:
        """Pairs of every target language with the central one, which comes first."""
        config.check(languages[1:])
        return load_pairs(source, languages, config, revisions)

    def fit(self, loaded: LoadedBackbone, corpora: PairCorpora, config: InclineConfig, progress: Progress) -> Intervention:
        """Fit INCLINE; see `incline.align.fit_incline` for what it raises."""
        from lensbench.methods.incline.align import fit_incline

        return fit_incline(loaded, corpora, config, progress)

    def load(self, folder: Path, backbone_digest: str) -> Intervention:
        from lensbench.methods.incline.intervention import Intervention

        return Intervention.load(folder, backbone_digest)


METHOD = Incline()
