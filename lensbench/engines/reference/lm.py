"""The reference engine: an lm-eval `LM` over a loaded backbone.

One sequence per distinct (context, continuation without its last token), right-padded batches, log-softmax in fp32 over the
continuation's positions. Slow and obvious; every faster path is tested equal to it, and it is tested equal to lm-eval's `hf`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from lm_eval import utils as lm_eval_utils
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import has_bos_prefix, resolve_max_length

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.chat import render_chat
from lensbench.engines.generation.decode import AnswerRequest, generate_answers, places_for
from lensbench.engines.generation.generate import GeneratedAnswer
from lensbench.engines.layer_sharing import Branch
from lensbench.engines.specials import encode_batch, encode_text
from lensbench.errors import UsageError

__all__ = ["LensLM", "TokenRequest", "has_prompt"]

TokenRequest = tuple[tuple[str, str], list[int], list[int]]
"""(context and continuation as text, context ids, continuation ids), as lm-eval passes them."""


def has_prompt(request: TokenRequest) -> bool:
    """Whether a continuation is scored behind a prompt; behind an empty context, only a BOS stands in front."""
    (context, _), _, target = request
    return bool(context and target)


class LensLM(TemplateLM):
    """A backbone, with whatever variant is applied to it at the moment, as lm-eval sees a model.

    Args:
        loaded: Model and tokenizer.
        batch_size: Sequences per forward pass.
    """

    _rows: int | None = None
    """Rows of the embedding, where the tokenizer has ids beyond them: some list a token for images, which text does not hold."""

    def __init__(self, loaded: LoadedBackbone, *, batch_size: int = 16) -> None:
        super().__init__()
        self.loaded = loaded
        self.tokenizer: Any = loaded.tokenizer
        self.batch_size = batch_size
        self._device = loaded.device
        rows = int(loaded.model.get_input_embeddings().weight.shape[0])
        if max(loaded.tokenizer.get_vocab().values(), default=0) >= rows:
            self._rows = rows
        self._encoded: dict[tuple[str, bool | None], list[int]] = {}
        """What a batch of texts was encoded to, while its requests are made."""

    @property
    def eot_token_id(self) -> int:
        """
        Raises:
            UsageError: the tokenizer has no end of text.
        """
        if self.tokenizer.eos_token_id is None:
            raise UsageError(
                f"the tokenizer of {self.tokenizer.name_or_path} has neither BOS nor EOS, and a text without context needs one "
                "in front of it",
                "Name one in tokenizer_config.json.",
            )
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        bos = self.tokenizer.bos_token_id
        return int(bos) if bos is not None else self.eot_token_id

    @property
    def max_length(self) -> int:
        """Longest input in tokens."""
        return int(resolve_max_length(self.loaded.model.config, self.tokenizer))

    def is_cut(self, request: TokenRequest) -> bool:
        """Whether a request is longer than the window, so that its beginning is left out."""
        return len(request[1]) + len(request[2]) > self.max_length + 1

    @property
    def tokenizer_name(self) -> str:
        return str(self.tokenizer.name_or_path).replace("/", "__")

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        """Ids as the tokenizer makes them by default, without a second BOS where the text already begins with one, and without
        what the tokenizer adds behind a text."""
        if add_special_tokens is None and has_bos_prefix(string, self._prefix_text):
            add_special_tokens = False
        if (string, add_special_tokens) in self._encoded:
            return list(self._encoded[string, add_special_tokens])
        extra = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
        return encode_text(self.tokenizer, string, **extra)

    @property
    def _prefix_text(self) -> str | None:
        """What stands in front of a text that begins with BOS already; None where the tokenizer has no special tokens."""
        if self.tokenizer.bos_token_id is None and self.tokenizer.eos_token_id is None:
            return None
        return str(self.tokenizer.decode(self.prefix_token_id))

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return render_chat(
            self.tokenizer, chat_history, self.loaded.backbone.system_text, add_generation_prompt=add_generation_prompt
        )

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        return str(self.tokenizer.chat_template)

    def token_request(self, context: str, continuation: str, *, first_token: bool = False) -> TokenRequest:
        """Encode one request.

        Args:
            first_token: Score only the continuation's first token, encoded by itself and put right behind the whole context
                (the `lens-paper` profile; lm-eval would move the template's trailing newline into the continuation).
        """
        if first_token:
            return (context, continuation), self.tok_encode(context), self.tok_encode(continuation, add_special_tokens=False)[:1]
        if context == "":
            ids = self.tok_encode(continuation, add_special_tokens=False)
            if not ids or self.prefix_token_id != ids[0]:
                return (context, continuation), [self.prefix_token_id], ids
            return (context, continuation), ids[:1], ids[1:]
        return (context, continuation), *self._encode_pair(context, continuation)

    def token_requests(self, requests: Sequence[tuple[str, str]], *, first_token: bool = False) -> list[TokenRequest]:
        """As `token_request` for each of many, with every distinct text encoded once, in one call of the tokenizer."""
        contexts = {context if first_token else context.rstrip() for context, _ in requests}
        texts = sorted(contexts if first_token else contexts | {context + continuation for context, continuation in requests})
        bos = self._prefix_text
        for special in (None, False):
            chosen = [text for text in texts if bool(has_bos_prefix(text, bos)) == (special is False)]
            if chosen:
                extra = {} if special is None else {"add_special_tokens": special}
                found = encode_batch(self.tokenizer, chosen, **extra)
                self._encoded.update({(text, special): ids for text, ids in zip(chosen, found, strict=True)})
        try:
            made = [self.token_request(*request, first_token=first_token) for request in requests]
        finally:
            self._encoded.clear()
        self._refuse_beyond([*context, *target] for _, context, target in made)
        return made

    def _refuse_beyond(self, requests: Iterable[Sequence[int]]) -> None:
        """
        Raises:
            UsageError: a text holds a token that the embedding has no row for.
        """
        if self._rows is None:
            return
        for ids in requests:
            if max(ids, default=0) >= self._rows:
                token = self.tokenizer.convert_ids_to_tokens(max(ids))
                raise UsageError(f"a text of this run holds {token!r}, which is a token without a row in the model's embedding")

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

    def noise(self, requests: Sequence[TokenRequest]) -> float:
        """Nats by which scores may be off: none, since what others are held against is this."""
        return 0.0

    def answer(
        self,
        requests: Sequence[AnswerRequest],
        *,
        branches: Sequence[Branch] = (),
        on_answer: Callable[[int, GeneratedAnswer], None] | None = None,
    ) -> list[GeneratedAnswer]:
        """Answers to all requests, in their order; each is handed to `on_answer` as soon as it has ended.

        Args:
            branches: Variants that share blocks; none: whatever is applied to the model answers.
        """
        self._refuse_beyond(request.prompt for request in requests)
        places = places_for(self.loaded, requests, self.batch_size, len(branches) or 1)
        return generate_answers(self.loaded, requests, batch_size=places, branches=branches, on_answer=on_answer)

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
