"""A backbone whose weights are loaded when they are first needed."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, Self

import torch

from lensbench.backbones.checkpoint import Checkpoint
from lensbench.backbones.load import (
    LoadedBackbone,
    check_loadable,
    digest_of_tokenizer,
    load_backbone,
    pick_device,
    pick_dtype,
    with_pad_token,
)
from lensbench.backbones.opening import open_generation_config
from lensbench.backbones.registry import Backbone
from lensbench.memory import release

__all__ = ["LazyBackbone"]


class LazyBackbone:
    """A backbone on disk: tokenizer and configuration are read at once, weights on demand.

    Args:
        device: "auto", "cpu", "cuda", "cuda:0" ...
        dtype: "auto", "float32", "bfloat16" or "float16".
        trust: Whether the folder's own Python code may run.
        notify: Told when weights have been read.

    Raises:
        UsageError: no such device, unknown dtype.
        UnavailableError: see `check_loadable`.
    """

    def __init__(
        self,
        backbone: Backbone,
        checkpoint: Checkpoint,
        *,
        device: str = "auto",
        dtype: str = "auto",
        trust: bool = False,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self.backbone, self.checkpoint = backbone, checkpoint
        self.trust = trust and backbone.is_given
        picked = pick_device(device)
        self.dtype = pick_dtype(dtype, picked)
        self.device = torch.device(picked)
        if self.device.type == "cuda" and self.device.index is None:
            self.device = torch.device("cuda", torch.cuda.current_device())
        self._notify = notify
        tokenizer, self._config = check_loadable(backbone, checkpoint, trust=self.trust)
        self.tokenizer = with_pad_token(tokenizer)
        self._loaded: LoadedBackbone | None = None
        self._owned = True

    @classmethod
    def holding(cls, loaded: LoadedBackbone) -> Self:
        """A backbone that somebody else loaded and still owns."""
        made = cls.__new__(cls)
        made.backbone, made.checkpoint, made.tokenizer = loaded.backbone, loaded.checkpoint, loaded.tokenizer
        made.trust, made._loaded, made._owned, made._notify = False, loaded, False, None
        first = next(loaded.model.parameters())
        made.dtype, made.device, made._config = first.dtype, first.device, loaded.model.config
        return made

    @property
    def is_loaded(self) -> bool:
        """Whether the weights are in memory."""
        return self._loaded is not None

    @property
    def config(self) -> Any:
        """The configuration of transformers."""
        return self._config if self._loaded is None else self._loaded.model.config

    @property
    def embedding_rows(self) -> int | None:
        """Token ids that the model knows; None where the configuration does not say."""
        if self._loaded is not None:
            return int(self._loaded.model.get_input_embeddings().weight.shape[0])
        rows = getattr(self._config.get_text_config(), "vocab_size", None)
        return rows if isinstance(rows, int) else None

    @property
    def generation_config(self) -> Any:
        """The generation configuration of transformers; the same as in the loaded model."""
        return self._generation_config if self._loaded is None else self._loaded.model.generation_config

    @functools.cached_property
    def _generation_config(self) -> Any:
        return open_generation_config(self.checkpoint, self._config)

    @functools.cached_property
    def tokenizer_digest(self) -> str:
        """16 hex digits over vocabulary, merges and chat template."""
        return digest_of_tokenizer(self.tokenizer)

    def loaded(self) -> LoadedBackbone:
        """The model in transformers, read now if it is not in memory.

        Raises:
            UnavailableError: see `load_backbone`.
        """
        if self._loaded is None:
            started = time.perf_counter()
            self._loaded = load_backbone(
                self.backbone,
                self.checkpoint,
                device=str(self.device),
                dtype=str(self.dtype).removeprefix("torch."),
                trust=self.trust,
                tokenizer=self.tokenizer,
            )
            if self._notify is not None:
                seconds = time.perf_counter() - started
                name, kind = self.checkpoint.name, self.checkpoint.kind
                self._notify(f"loaded {self.backbone.backbone} ({kind}: {name}) in {seconds:.1f} s")
        return self._loaded

    def release(self) -> None:
        """Release the weights; a model that somebody else loaded stays in memory."""
        if self._owned and self._loaded is not None:
            self._loaded = None
            release()
