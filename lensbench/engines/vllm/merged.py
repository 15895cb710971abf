"""A variant as a model folder that vLLM can open, while a context lasts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lensbench.backbones.lazy import LazyBackbone
from lensbench.backbones.save import save_model
from lensbench.engines.protocol import EngineVariant

__all__ = ["merged_folder"]


@contextmanager
def merged_folder(model: LazyBackbone, variant: EngineVariant, target: Path, notify: Callable[[str], None]) -> Iterator[Path]:
    """Write backbone and enhancement as one model; the folder is removed when the context ends.

    Raises:
        RunError: the disk is full.
    """
    # A run that was killed may have left one.
    shutil.rmtree(target, ignore_errors=True)
    try:
        loaded = model.loaded()
        with variant.applied(loaded, "en"):
            save_model(loaded.model, loaded.tokenizer, target)
        # The weights must be free to go while the folder is used.
        del loaded
        size = sum(file.stat().st_size for file in target.iterdir())
        notify(f"{variant.name} is merged for vLLM: {size / 2**30:.2f} GiB in {target}, removed afterwards")
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)
