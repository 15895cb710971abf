"""xSFT and xSFT-Full as methods: both are fine-tuning on answers, they differ in the rows.

A plan asks the method for its corpora in an installation without torch: what a fit needs is imported by the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lensbench.datasets.sources import DataSource
from lensbench.jsonio import JsonObject
from lensbench.methods.base import Progress
from lensbench.methods.config import MethodConfig
from lensbench.methods.sft.encode import chat_layout
from lensbench.methods.xsft.config import XsftConfig, XsftPools
from lensbench.methods.xsft.corpora import XsftCorpora, load_xsft
from lensbench.methods.xsft.full import XsftFullConfig

if TYPE_CHECKING:
    from lensbench.backbones.load import LoadedBackbone
    from lensbench.methods.adapter import Adapter
    from lensbench.methods.delta import Delta

__all__ = ["FULL", "METHOD", "Xsft"]


class Xsft:
    """Instruction tuning on multilingual data.

    Args:
        central: Whether the central language is learned too.
        paper_items: The paper's number of items with one target language; it gives none for several.
    """

    config_model: type[MethodConfig]

    def __init__(self, name: str, config_model: type[XsftPools], *, central: bool, paper_items: int) -> None:
        self.name = name
        self.config_model = config_model
        self.central = central
        self.paper_items = paper_items

    def corpora(
        self, source: DataSource, languages: tuple[str, ...], config: XsftPools, revisions: Mapping[str, str] | None = None
    ) -> XsftCorpora:
        config.check(languages[1:])
        return load_xsft(source, languages, config, revisions, central=self.central)

    def fit(self, loaded: LoadedBackbone, corpora: XsftCorpora, config: XsftPools, progress: Progress) -> Delta | Adapter:
        """Fine-tune on the answers; see `sft.fit.fine_tune` for what it raises."""
        from lensbench.methods.sft.fit import fine_tune

        layout = chat_layout(loaded.tokenizer, loaded.backbone.system_text)
        return fine_tune(self.name, loaded, corpora.examples, layout, config, progress, self._card(corpora))

    def _card(self, corpora: XsftCorpora) -> JsonObject:
        return {
            "languages": list(corpora.languages),
            "data": sorted({f"{key} from {o.kind} {o.name}" for key, o in corpora.origins.items()}),
            "pools": corpora.counts(),
            "items": {"realised": len(corpora.examples), "paper": self.paper_items if len(corpora.languages) == 2 else None},
        }

    def load(self, folder: Path, backbone_digest: str) -> Delta | Adapter:
        from lensbench.methods.adapter import load_weights

        return load_weights(folder, backbone_digest)


METHOD = Xsft("xsft", XsftConfig, central=True, paper_items=800)
FULL = Xsft("xsft-full", XsftFullConfig, central=False, paper_items=111_500)
