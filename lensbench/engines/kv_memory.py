"""Memory of keys and values."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["kv_bytes_per_token"]


def kv_bytes_per_token(config: Any, dtype: torch.dtype) -> int:
    """Bytes of the keys and values of one token in all blocks.

    Args:
        config: Of transformers, of the text model.
    """
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * int(config.num_hidden_layers) * int(heads) * int(width) * dtype.itemsize
