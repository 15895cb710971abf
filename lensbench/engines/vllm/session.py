"""One variant in vLLM: scores and answers, from token ids to the results that the reference engine would give."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Self

from lensbench.engines.generation.generate import Speaks, end_tokens
from lensbench.engines.protocol import Answer, AnswerRequest, GeneratedAnswer, TokenRequest
from lensbench.engines.vllm.process import ask
from lensbench.engines.vllm.read import read_answer, read_continuation, read_labels

__all__ = ["GROUP", "VllmSession", "is_cut"]

GROUP = 1024
"""Prompts handed over together: enough to keep vLLM busy, few enough that a run that is stopped loses little."""
_LABELS = 128
"""Tokens of which vLLM tells the log-probability behind one prompt, at most."""


def is_cut(request: TokenRequest, window: int) -> bool:
    """Whether a request loses its beginning. Of single tokens, only the context is part of the prompt."""
    _, context, target = request
    read = len(context) if len(target) == 1 and context else len(context) + len(target)
    return read > window - 1


class VllmSession:
    """One variant in vLLM. The process is started when it is first needed, and ended with the context.

    Args:
        model: Tokenizer and generation configuration, by which answers are read.
        vllm: The module.
        start: A context in which the process runs.
        window: Most tokens of a prompt and what is generated behind it.
    """

    def __init__(self, model: Speaks, vllm: Any, start: Callable[[], AbstractContextManager[Any]], *, window: int) -> None:
        self._model, self._vllm, self._start, self.window = model, vllm, start, window
        self._llm: Any = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._llm = None
        self._stack.__exit__(kind, error, trace)

    def _ask(self, prompts: Sequence[tuple[int, ...]], params: Any) -> list[Any]:
        if not prompts:
            return []
        if self._llm is None:
            self._llm = self._stack.enter_context(self._start())
        return ask(self._vllm, self._llm, prompts, params)

    def _fitting(self, ids: Sequence[int]) -> tuple[int, ...]:
        """A prompt without the beginning that does not fit; vLLM wants room for one token behind it."""
        return tuple(ids[-(self.window - 1) :])

    def score_tokens(self, requests: Sequence[TokenRequest]) -> list[Answer]:
        """Log-likelihood (nats) of each continuation given its context, and whether it is the greedy one.

        A prompt is read once. Single tokens, such as option letters, are read off behind their context, which vLLM need not
        compute again where another prompt began alike; longer continuations are part of the prompt, which vLLM computes whole.
        An input longer than the window loses its beginning; a continuation that fills the window has no log-likelihood (nan).

        Raises:
            RunError: vLLM stopped, or a log-probability is missing.
        """
        answers: list[Answer] = [(0.0, True)] * len(requests)
        labels: dict[tuple[int, ...], dict[int, list[int]]] = {}
        whole: dict[tuple[int, ...], list[int]] = {}
        for index, (_, context, target) in enumerate(requests):
            if len(target) == 1 and context:
                labels.setdefault(self._fitting(context), {}).setdefault(target[0], []).append(index)
            elif target:
                prompt = self._fitting([*context, *target])
                if len(target) >= len(prompt):
                    answers[index] = (float("nan"), False)
                    continue
                whole.setdefault(prompt, []).append(index)
        self._score_labels(labels, answers)
        self._score_whole(requests, whole, answers)
        return answers

    def _score_labels(self, labels: dict[tuple[int, ...], dict[int, list[int]]], answers: list[Answer]) -> None:
        parts = [
            (prompt, [*wanted][start : start + _LABELS])
            for prompt, wanted in labels.items()
            for start in range(0, len(wanted), _LABELS)
        ]
        params = [
            self._vllm.SamplingParams(temperature=0.0, max_tokens=1, logprob_token_ids=tokens, detokenize=False)
            for _, tokens in parts
        ]
        for (prompt, tokens), output in zip(parts, self._ask([prompt for prompt, _ in parts], params), strict=True):
            for token, answer in read_labels(output, tokens).items():
                for index in labels[prompt][token]:
                    answers[index] = answer

    def _score_whole(
        self, requests: Sequence[TokenRequest], whole: dict[tuple[int, ...], list[int]], answers: list[Answer]
    ) -> None:
        params = self._vllm.SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=1, detokenize=False)
        for indices, output in zip(whole.values(), self._ask([*whole], params), strict=True):
            for index in indices:
                answers[index] = read_continuation(output, len(requests[index][2]))

    def answer(
        self, requests: Sequence[AnswerRequest], *, on_answer: Callable[[int, GeneratedAnswer], None] | None = None
    ) -> list[GeneratedAnswer]:
        """Answers to all requests, in their order. Greedy ones equal our own up to rounding; sampled ones are other draws.

        Each answer is drawn with its own seed. vLLM hands answers over in groups, and each takes an equal share of its group's
        seconds.

        Raises:
            RunError: vLLM stopped, or ended an answer for another reason than its end of turn or its length.
        """
        ends = end_tokens(self._model)
        answers: list[GeneratedAnswer] = []
        for start in range(0, len(requests), GROUP):
            group = requests[start : start + GROUP]
            params = [
                self._vllm.SamplingParams(
                    temperature=request.temperature,
                    seed=request.seed if request.temperature > 0 else None,
                    max_tokens=request.max_new_tokens,
                    stop_token_ids=sorted(ends),
                    detokenize=False,
                )
                for request in group
            ]
            began = time.perf_counter()
            outputs = self._ask([request.prompt for request in group], params)
            seconds = (time.perf_counter() - began) / len(group)
            for output in outputs:
                answers.append(read_answer(self._model, output, ends, seconds))
                if on_answer is not None:
                    on_answer(len(answers) - 1, answers[-1])
        return answers
