"""A fit of SDRRL on a tiny model that answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sdrrl_help import questions

from lensbench.backbones import get_backbone
from lensbench.backbones.load import LoadedBackbone, load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.methods import config_model, load_method
from lensbench.methods.base import SilentProgress

FEW: dict[str, Any] = {
    "n": 8,
    "n_parallel": 4,
    "translator": "self",
    "max_new_tokens": 60,
    "translate_max_new_tokens": 60,
    "max_length": 400,
    "batch_size": 4,
    "generate_batch": 3,
    "learning_rate": 1e-4,
}


def load(folder: Path) -> LoadedBackbone:
    backbone = get_backbone(str(folder))
    return load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")


def fit(loaded: LoadedBackbone, progress: SilentProgress | None = None, source: Any = None, **changes: Any) -> Any:
    model, _ = config_model("sdrrl")
    config = model.model_validate({**FEW, **changes})
    method = load_method("sdrrl")
    data = method.corpora(source or questions(("en", "zh"), 30), ("en", "zh"), config)
    return method.fit(loaded, data, config, progress or SilentProgress())
