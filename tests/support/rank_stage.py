"""Scoring under several variants, as one of several ranks or alone: `rank_stage.py MODEL DATA OUT`, started by torchrun."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from tree_stage import asked, engine_over, variants

from lensbench.backbones import get_backbone
from lensbench.backbones.load import load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.executors.launch import find_place, joined
from lensbench.executors.ranks import ALONE, Ranks
from lensbench.methods.base import SilentProgress
from lensbench.records import RunFolder
from lensbench.stages.score import score_stage


def score_everything(ranks: Ranks, model: Path, data: Path, out: Path) -> None:
    """The backbone, two deltas and an intervention: by both engines, and a single item of a single task."""
    backbone = get_backbone(str(model))
    loaded = load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")
    tasks = asked(loaded, data, "lm-eval")
    one_item = [dataclasses.replace(tasks[1], items=tasks[1].items[:1])]
    for name, engine, chosen in (("tree", "tree", tasks), ("reference", "reference", tasks), ("one", "reference", one_item)):
        with ranks.log(RunFolder(out / name), "score") as log:
            score_stage(engine_over(loaded, engine, 2), variants(loaded), chosen, log, SilentProgress(), ranks=ranks)


if __name__ == "__main__":
    with joined(find_place(None)) as group:
        assert group is not ALONE
        score_everything(group, *map(Path, sys.argv[1:]))
