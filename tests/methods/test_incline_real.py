"""INCLINE's maps on the states of a real backbone equal LAPACK's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lensbench.backbones import get_backbone
from lensbench.backbones.load import load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.datasets.sources import open_data
from lensbench.methods.incline import METHOD, InclineConfig, solve
from lensbench.methods.incline.sites import read_pooled


@pytest.mark.real
@pytest.mark.slow
def test_equals_lstsq_on_real_states(imported: Path) -> None:
    backbone = get_backbone("smollm2-135m")
    loaded = load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")
    config = InclineConfig(pairs="ntrex", n_pairs=100, alpha=0.5)
    pairs = METHOD.corpora(open_data(str(imported)), ("en", "sw"), config).pairs["sw"][:110]
    sides = [
        [loaded.tokenizer.encode(text) for text in texts] for texts in zip(*((p.source, p.target) for p in pairs), strict=True)
    ]
    layers = (0, 15, 29)
    x, y = (read_pooled(loaded, rows, "hidden", layers, "last", batch_size=8) for rows in sides)
    for layer in layers:
        known, held_out = x[layer][:100], x[layer][100:]
        cutoff = torch.finfo(torch.float32).eps * loaded.hidden_size
        weights = torch.linalg.lstsq(known.double(), y[layer][:100].double(), rcond=cutoff, driver="gelsd").solution
        expected = held_out.double() @ weights
        error = float((solve(known, y[layer][:100])(held_out) - expected).norm() / expected.norm())
        print(f"layer {layer}: relative error {error:.1e}")
        assert error < 1e-4
