"""What engines are asked in the tests of vLLM."""

from __future__ import annotations

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.protocol import AnswerRequest, TokenRequest
from lensbench.engines.reference.lm import LensLM


def requests(lm: LensLM) -> list[TokenRequest]:
    pairs = [
        ("A question", " with an answer"),
        ("A question", " with another"),
        ("A question", " with an answer"),
        ("", "No context"),
        ("你好", "吗"),
        ("x" * 300, "yyy"),
        ("A question", "!"),
    ]
    letters = [lm.token_request("Letters?\n", letter, first_token=True) for letter in "ABC"]
    return [*(lm.token_request(*pair) for pair in pairs), *letters]


def answers(loaded: LoadedBackbone) -> list[AnswerRequest]:
    texts = ["A", "Why is the sky blue?", "x" * 90, "你好，今天天气怎么样？", "Tell me."]
    lengths = [3, 40, 1, 25, 60]
    return [AnswerRequest(tuple(loaded.tokenizer.encode(text)), n) for text, n in zip(texts, lengths, strict=True)]
