"""SDRRL as a method.

A plan asks the method for its corpora in an installation without torch: what a fit needs is imported by the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lensbench.datasets.sources import DataSource
from lensbench.methods.base import Progress
from lensbench.methods.config import MethodConfig
from lensbench.methods.sdrrl.config import SdrrlConfig
from lensbench.methods.sdrrl.corpora import SdrrlCorpora, load_sdrrl

if TYPE_CHECKING:
    from lensbench.backbones.load import LoadedBackbone
    from lensbench.methods.adapter import Adapter
    from lensbench.methods.delta import Delta

__all__ = ["METHOD", "Sdrrl"]


class Sdrrl:
    """SDRRL."""

    name = "sdrrl"
    config_model: type[MethodConfig] = SdrrlConfig

    def corpora(
        self, source: DataSource, languages: tuple[str, ...], config: SdrrlConfig, revisions: Mapping[str, str] | None = None
    ) -> SdrrlCorpora:
        """Parallel questions, translator, lexicon and identifier, so that what is missing is told before a model is loaded."""
        config.check(languages[1:])
        return load_sdrrl(source, languages, config, revisions)

    def fit(self, loaded: LoadedBackbone, corpora: SdrrlCorpora, config: SdrrlConfig, progress: Progress) -> Delta | Adapter:
        """Make answers and translations, and fine-tune; see `sdrrl.fit.fit_sdrrl` for what it raises."""
        from lensbench.methods.sdrrl.fit import fit_sdrrl

        return fit_sdrrl(loaded, corpora, config, progress)

    def load(self, folder: Path, backbone_digest: str) -> Delta | Adapter:
        from lensbench.methods.adapter import load_weights

        return load_weights(folder, backbone_digest)


METHOD = Sdrrl()
