"""QAlign as a method: fine-tuning on translations of questions into the central language.

A plan asks the method for its corpora in an installation without torch: what a fit needs is imported by the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lensbench.datasets.sources import DataSource
from lensbench.methods.base import Progress
from lensbench.methods.config import MethodConfig
from lensbench.methods.qalign.config import QalignConfig
from lensbench.methods.qalign.corpora import QalignCorpora, load_qalign
from lensbench.methods.qalign.prompts import qalign_layout

if TYPE_CHECKING:
    from lensbench.backbones.load import LoadedBackbone
    from lensbench.methods.adapter import Adapter
    from lensbench.methods.delta import Delta

__all__ = ["METHOD", "Qalign"]

PAPER_ITEMS = 800


class Qalign:
    """QAlign, stage 1."""

    name = "qalign"
    config_model: type[MethodConfig] = QalignConfig

    def corpora(
        self, source: DataSource, languages: tuple[str, ...], config: QalignConfig, revisions: Mapping[str, str] | None = None
    ) -> QalignCorpora:
        """Pairs of each target language with the central one."""
        config.check(languages[1:])
        return load_qalign(source, languages, config, revisions)

    def fit(self, loaded: LoadedBackbone, corpora: QalignCorpora, config: QalignConfig, progress: Progress) -> Delta | Adapter:
        """Fine-tune on the translations; see `sft.fit.fine_tune` for what it raises."""
        from lensbench.methods.sft.fit import fine_tune

        layout = qalign_layout(loaded.tokenizer, config.template, loaded.backbone.system_text)
        card = {
            "languages": list(corpora.languages),
            "data": sorted({f"{key} from {o.kind} {o.name}" for key, o in corpora.origins.items()}),
            "pools": {pool: dict(counts) for pool, counts in corpora.counts.items()},
            "items": {"realised": len(corpora.examples), "paper": PAPER_ITEMS if len(corpora.languages) == 2 else None},
        }
        # Half a translation is a wrong one, so a pair that does not fit is left out.
        return fine_tune(self.name, loaded, corpora.examples, layout, config, progress, card, truncate=False)

    def load(self, folder: Path, backbone_digest: str) -> Delta | Adapter:
        from lensbench.methods.adapter import load_weights

        return load_weights(folder, backbone_digest)


METHOD = Qalign()
