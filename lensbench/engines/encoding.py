"""Conversion of text to token ids: requests, prompts and the window, as in lm-eval. Needs a tokenizer and no weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import has_bos_prefix, resolve_max_length

from lensbench.backbones.lazy import LazyBackbone
from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.chat import render_chat
from lensbench.engines.protocol import TokenRequest
from lensbench.engines.specials import encode_batch, encode_text
from lensbench.errors import UsageError

__all__ = ["RequestEncoder"]


class RequestEncoder:
    """A tokenizer with what a model adds to it.

    Args:
        tokenizer: Of transformers.
        config: The model's configuration, which names the window; None where nobody asks for the window.
        rows: Rows of the model's embedding; a tokenizer may have ids beyond them. None is unknown.
        system_text: Put in front of a conversation; None sends none.
    """

    backend = "causal"
    _encode_pair = TemplateLM._encode_pair
    """lm-eval's own way to split a context and its continuation."""

    def __init__(self, tokenizer: Any, config: Any, rows: int | None, system_text: str | None) -> None:
        self.tokenizer = tokenizer
        self._config, self._system_text = config, system_text
        # Some tokenizers list a token for images, which text does not hold, beyond the embedding.
        self._rows = rows if rows is not None and max(tokenizer.get_vocab().values(), default=0) >= rows else None
        self._encoded: dict[tuple[str, bool | None], list[int]] = {}
        """Encoded texts of a batch, while its requests are built."""

    @classmethod
    def of(cls, model: LazyBackbone | LoadedBackbone) -> Self:
        """The encoder of a backbone, whose weights need not be loaded."""
        if isinstance(model, LoadedBackbone):
            model = LazyBackbone.holding(model)
        return cls(model.tokenizer, model.config, model.embedding_rows, model.backbone.system_text)

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
        return int(resolve_max_length(self._config, self.tokenizer))

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
        return render_chat(self.tokenizer, chat_history, self._system_text, add_generation_prompt=add_generation_prompt)

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
        self.refuse_unknown_ids([*context, *target] for _, context, target in made)
        return made

    def refuse_unknown_ids(self, requests: Iterable[Sequence[int]]) -> None:
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
