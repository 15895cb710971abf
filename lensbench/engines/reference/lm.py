"""The slow, obvious way: an lm-eval `LM` over a loaded backbone.

One sequence per distinct (context, continuation without its last token), right-padded batches, log-softmax in fp32 over the
continuation's positions. Slow and obvious; every faster path is tested equal to it, and it is tested equal to lm-eval's `hf`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from lm_eval import utils as lm_eval_utils
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.encoding import RequestEncoder
from lensbench.engines.generation.decode import generate_answers, places_for
from lensbench.engines.protocol import AnswerRequest, GeneratedAnswer, TokenRequest, has_prompt

__all__ = ["LensLM"]


class LensLM(RequestEncoder, TemplateLM):
    """A backbone, with whatever variant is applied to it at the moment, as lm-eval sees a model.

    Args:
        loaded: Model and tokenizer.
        batch_size: Sequences per forward pass.
    """

    def __init__(self, loaded: LoadedBackbone, *, batch_size: int = 16) -> None:
        TemplateLM.__init__(self)
        rows = int(loaded.model.get_input_embeddings().weight.shape[0])
        RequestEncoder.__init__(self, loaded.tokenizer, loaded.model.config, rows, loaded.backbone.system_text)
        self.loaded = loaded
        self.batch_size = batch_size
        self._device = loaded.device

    @torch.inference_mode()
    def score_tokens(self, requests: Sequence[TokenRequest]) -> list[tuple[float, bool]]:
        """Log-likelihood (nats) of each continuation given its context, and whether it is the greedy one.

        Requests that differ only in the last token share a forward pass, unless their contexts end at different places and what
        is applied works on the last token of the context. An input longer than the model's window loses its beginning, as in
        lm-eval; a continuation that has no token in front of it in the window has no log-likelihood (nan).
        """
        inputs = [tuple((context + continuation)[-(self.max_length + 1) :][:-1]) for _, context, continuation in requests]
        by_input: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for index, ids in enumerate(inputs):
            if len(requests[index][2]) > len(ids):
                continue
            by_input.setdefault((ids, self._prompt_end(requests[index], len(ids))), []).append(index)
        answers: list[tuple[float, bool]] = [(float("nan"), False)] * len(requests)
        ordered = sorted(by_input, key=lambda distinct: (-len(distinct[0]), distinct))
        for start in range(0, len(ordered), self.batch_size):
            batch = ordered[start : start + self.batch_size]
            width = len(batch[0][0])
            padded = torch.zeros(len(batch), width, dtype=torch.long)
            for row, (ids, _) in enumerate(batch):
                padded[row, : len(ids)] = torch.tensor(ids)
            # Right padding under a causal mask: no real token sees a pad, so no attention mask is needed.
            with self.loaded.prompts_ending_at([end for _, end in batch]):
                logits = self.loaded.model(input_ids=padded.to(self._device), use_cache=False).logits
            for row, (ids, end) in enumerate(batch):
                for index in by_input[ids, end]:
                    target = torch.tensor(requests[index][2], device=logits.device)
                    at = logits[row, len(ids) - len(target) : len(ids)].float()
                    chosen = at.log_softmax(-1).gather(1, target[:, None]).sum()
                    answers[index] = (float(chosen), bool((at.argmax(-1) == target).all()))
        return answers

    def answer(
        self, requests: Sequence[AnswerRequest], *, on_answer: Callable[[int, GeneratedAnswer], None] | None = None
    ) -> list[GeneratedAnswer]:
        """Answers of whatever is applied to the model, in the order of the requests.

        Args:
            on_answer: Called with the index of a request and its answer as soon as the answer has ended.
        """
        self.refuse_unknown_ids(request.prompt for request in requests)
        places = places_for(self.loaded, requests, self.batch_size, 1)
        return generate_answers(self.loaded, requests, batch_size=places, on_answer=on_answer)

    def _prompt_end(self, request: TokenRequest, length: int) -> int:
        """Index of the context's last token in a row of so many tokens; -1 where there is no prompt, or where nobody asks."""
        return length - len(request[2]) if self.loaded.wants_prompt_ends and has_prompt(request) else -1

    def _loglikelihood_tokens(self, requests: list[TokenRequest], **kwargs: Any) -> list[tuple[float, bool]]:
        return self.score_tokens(requests)

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Log-likelihood of whole texts in windows of the model's length (lm-eval's own windowing)."""
        totals = []
        for request in requests:
            windows = map(
                lm_eval_utils.make_disjoint_window,
                lm_eval_utils.get_rolling_token_windows(
                    token_list=self.tok_encode(request.args[0]),
                    prefix_token=self.prefix_token_id,
                    max_seq_len=self.max_length,
                    context_len=1,
                ),
            )
            totals.append(sum(ll for ll, _ in self.score_tokens([(("", ""), *window) for window in windows])))
        return totals

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Greedy answers, cut at the first stop string."""
        wanted = [AnswerRequest(tuple(self.tok_encode(r.args[0])), int(r.args[1].get("max_gen_toks", 256))) for r in requests]
        texts = []
        for request, answer in zip(requests, self.answer(wanted), strict=True):
            stops = request.args[1].get("until") or []
            texts.append(_cut(answer.text, [stops] if isinstance(stops, str) else stops))
        return texts


def _cut(text: str, stops: Sequence[str]) -> str:
    for stop in stops:
        if stop:
            text = text.split(stop)[0]
    return text
