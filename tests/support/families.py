"""Tiny random models of every family."""

from __future__ import annotations

from typing import Any

VOCABULARY = 40


FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama, scaled rope": {
        "kind": "llama",
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 1e4,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        },
    },
    "qwen2": {"tie_word_embeddings": True},
    "qwen2, some layers slide": {"kind": "qwen2", "use_sliding_window": True, "sliding_window": 7, "max_window_layers": 2},
    "qwen3": {},
    "mistral": {"sliding_window": None},
    "mistral, sliding": {"kind": "mistral", "sliding_window": 9},
    "phi3": {"sliding_window": 11, "pad_token_id": 2},
    "gemma": {"tie_word_embeddings": True},
    "gemma2": {"sliding_window": 6, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    "gemma3_text": {"sliding_window": 6, "query_pre_attn_scalar": 8},
    "smollm3": {"pad_token_id": 2},
    "olmo2": {},
    "granite": {"embedding_multiplier": 3.0, "logits_scaling": 2.0, "residual_multiplier": 0.5},
}


def random_model(name: str) -> Any:
    """Four layers of the family; weights large enough that answers differ."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    options = dict(FAMILIES[name])
    sizes: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 256,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    torch.manual_seed(0)
    config = AutoConfig.for_model(options.pop("kind", name), **{**sizes, **options})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0)
    return model
