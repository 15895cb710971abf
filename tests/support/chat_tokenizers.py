"""Tokenizers with the chat templates of three families, and which of their tokens carry loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parents[1] / "support" / "templates"


SPECIALS = {
    "llama3": ("<|begin_of_text|>", "<|eot_id|>", ["<|start_header_id|>", "<|end_header_id|>"]),
    "phi35": ("<s>", "<|endoftext|>", ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]),
    "chatml": ("<s>", "<|im_end|>", ["<|im_start|>"]),
}


ENDS = {"llama3": "<|eot_id|>", "phi35": "<|end|>", "chatml": "<|im_end|>"}


def tokenizer_of(folder: Path, family: str) -> Any:
    """The tiny byte tokenizer with the special tokens and the template of a family.

    Phi-3.5's own tokens swallow the white space on their right, as in its release.
    """
    from tokenizers import AddedToken
    from transformers import AutoTokenizer

    bos, eos, others = SPECIALS[family]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    added = [AddedToken(t, special=True, normalized=False, rstrip=family == "phi35") for t in [bos, eos, *others]]
    tokenizer.add_tokens(added, special_tokens=True)
    tokenizer.bos_token, tokenizer.eos_token = bos, eos
    tokenizer.chat_template = (TEMPLATES / f"{family}.jinja").read_text(encoding="utf-8")
    return tokenizer


def learned(tokenizer: Any, row: Any) -> str:
    from lensbench.methods.sft.encode import IGNORED

    return str(tokenizer.decode([token for token, label in zip(row.ids, row.labels, strict=True) if label != IGNORED]))
