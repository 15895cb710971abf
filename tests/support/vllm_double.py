"""vLLM's offline interface, as read in version 0.33.0, over a model in transformers.

The classes have vLLM's names, fields, arguments and shapes, and refuse arguments that vLLM does not have; the numbers are those
of the real model in the folder they are given, one prompt after the other, in the obvious way.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, TypedDict

import torch

VERSION = "0.33.0"
MAX_LOGPROB_TOKEN_IDS = 128

ENGINE_ARGS = {"max_model_len", "load_format", "enable_prefix_caching", "max_num_seqs", "disable_log_stats", "max_logprobs"}
"""The part of `vllm.EngineArgs` that `LLM` takes by `**kwargs` and that is of use here."""


class VLLMValidationError(Exception):
    """`vllm.exceptions.VLLMValidationError`: not a ValueError."""


class TokensPrompt(TypedDict, total=False):
    """`vllm.inputs.llm.TokensPrompt`."""

    prompt_token_ids: list[int]
    prompt: str


@dataclass
class Logprob:
    """`vllm.logprobs.Logprob`."""

    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class SamplingParams:
    """`vllm.sampling_params.SamplingParams`: its fields that a caller may set and that are of use here."""

    n: int = 1
    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop: str | list[str] | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool = False
    max_tokens: int | None = 16
    min_tokens: int = 0
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    logprob_token_ids: list[int] | None = None
    flat_logprobs: bool = False
    detokenize: bool = True
    skip_special_tokens: bool = True

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise VLLMValidationError(f"max_tokens must be at least 1, got {self.max_tokens}.")
        if self.temperature < 0:
            raise VLLMValidationError(f"temperature must be non-negative, got {self.temperature}.")
        if self.logprob_token_ids is not None and len(self.logprob_token_ids) > MAX_LOGPROB_TOKEN_IDS:
            raise VLLMValidationError(f"Requested logprob_token_ids of length {len(self.logprob_token_ids)}")
        if not all(isinstance(token, int) for token in self.stop_token_ids or ()):
            raise VLLMValidationError("stop_token_ids must contain only integers")


@dataclass
class CompletionOutput:
    """`vllm.outputs.CompletionOutput`."""

    index: int
    text: str
    token_ids: Sequence[int]
    cumulative_logprob: float | None
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str | None = None
    stop_reason: int | str | None = None


@dataclass
class RequestOutput:
    """`vllm.outputs.RequestOutput`."""

    request_id: str
    prompt: str | None
    prompt_token_ids: list[int] | None
    prompt_logprobs: list[dict[int, Logprob] | None] | None
    outputs: list[CompletionOutput]
    finished: bool


class Vllm(ModuleType):
    """The module, with a record of what was done with it.

    Attributes:
        calls: Prompts and parameters of every `generate`.
        events: Engines started and ended, in order.
    """

    def __init__(self) -> None:
        super().__init__("vllm")
        self.__version__ = VERSION
        self.SamplingParams, self.TokensPrompt = SamplingParams, TokensPrompt
        self.calls: list[tuple[list[list[int]], list[SamplingParams]]] = []
        self.events: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        """Raised by the next `generate`."""
        self.shift = 0.0
        """Nats that are added to every log-probability: an engine that reads the model wrongly."""
        double = self

        class LLM(_LLM):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(double, *args, **kwargs)

        self.LLM = LLM
        self.platforms = ModuleType("vllm.platforms")
        self.place("cpu")

    def place(self, device: str) -> None:
        """The platform vLLM finds; an empty name is none."""
        self.platforms.current_platform = SimpleNamespace(device_type=device, is_unspecified=lambda: not device)  # type: ignore[attr-defined]

    @property
    def asked(self) -> list[list[int]]:
        return [prompt for prompts, _ in self.calls for prompt in prompts]


class _LLM:
    """`vllm.LLM`."""

    def __init__(
        self,
        double: Vllm,
        model: str,
        *,
        tokenizer: str | None = None,
        skip_tokenizer_init: bool = False,
        trust_remote_code: bool = False,
        tensor_parallel_size: int = 1,
        dtype: str = "auto",
        seed: int = 0,
        gpu_memory_utilization: float = 0.92,
        enforce_eager: bool = False,
        **kwargs: Any,
    ) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        unknown = kwargs.keys() - ENGINE_ARGS
        if unknown:
            raise TypeError(f"EngineArgs.__init__() got an unexpected keyword argument {sorted(unknown)[0]!r}")
        started = [model for event, model in double.events if event == "start"]
        ended = [model for event, model in double.events if event == "end"]
        if len(started) > len(ended):
            raise RuntimeError("Engine core initialization failed. See root cause above.")
        self._model = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()
        own = int(self._model.config.max_position_embeddings)
        self._window = kwargs.get("max_model_len") or own
        if self._window > own:
            raise ValueError(f"User-specified max_model_len ({self._window}) is greater than the derived max_model_len ({own})")
        assert kwargs.get("load_format") == "safetensors" and list(Path(model).glob("*.safetensors"))
        self._ends = {AutoTokenizer.from_pretrained(model).eos_token_id}
        configured = GenerationConfig.from_pretrained(model).eos_token_id
        self._ends |= set(configured if isinstance(configured, list) else [configured])
        double.events.append(("start", model))
        self._double, self._path = double, model
        self.llm_engine = SimpleNamespace(engine_core=SimpleNamespace(shutdown=self._shutdown))

    def _shutdown(self, timeout: float | None = None) -> None:
        self._double.events.append(("end", self._path))
        self._model = None  # type: ignore[assignment]
        gc.collect()

    @torch.inference_mode()
    def generate(
        self,
        prompts: Any,
        sampling_params: SamplingParams | Sequence[SamplingParams] | None = None,
        *,
        use_tqdm: bool = True,
        lora_request: Any = None,
        priority: Any = None,
        tokenization_kwargs: Any = None,
        mm_processor_kwargs: Any = None,
    ) -> list[RequestOutput]:
        params = list(sampling_params) if isinstance(sampling_params, Sequence) else [sampling_params] * len(prompts)
        if len(params) != len(prompts):
            raise VLLMValidationError(f"The lengths of prompts ({len(prompts)}) and params ({len(params)}) must be the same.")
        for prompt in prompts:
            length = len(prompt["prompt_token_ids"])
            if not length:
                raise VLLMValidationError("The decoder prompt cannot be empty")
            if length >= self._window:
                raise VLLMValidationError(
                    f"The decoder prompt (length {length}) plus the number of requested output tokens (at least 1) is longer "
                    f"than the maximum model length of {self._window}."
                )
        self._double.calls.append(([prompt["prompt_token_ids"] for prompt in prompts], params))
        if self._double.failure is not None:
            raise self._double.failure
        return [
            self._one(str(index), prompt["prompt_token_ids"], own)
            for index, (prompt, own) in enumerate(zip(prompts, params, strict=True))
        ]

    def _logprobs(self, ids: list[int]) -> torch.Tensor:
        logits = self._model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()
        return logits.log_softmax(-1) + self._double.shift

    def _one(self, request_id: str, prompt: list[int], params: SamplingParams) -> RequestOutput:
        # vLLM has it None in front, for the first token, which nothing predicts.
        places: list[dict[int, Logprob] | None] | None = None
        if params.prompt_logprobs is not None:
            scores = self._logprobs(prompt)
            places = [
                None,
                *(
                    _place(scores[at - 1], prompt[at], _top(scores[at - 1], params.prompt_logprobs))
                    for at in range(1, len(prompt))
                ),
            ]
        generator = torch.Generator().manual_seed(params.seed) if params.seed is not None else torch.Generator()
        wants = params.logprob_token_ids if params.logprob_token_ids is not None else params.logprobs
        tokens: list[int] = []
        beside: list[dict[int, Logprob]] = []
        reason: str | None = None
        stop_reason: int | None = None
        while reason is None:
            scores = self._logprobs([*prompt, *tokens])[-1]
            if params.temperature < 1e-5:
                token = int(scores.argmax())
            else:
                shares = (scores / params.temperature).softmax(-1)
                token = int((shares / torch.empty_like(shares).exponential_(generator=generator)).argmax())
            tokens.append(token)
            if wants is not None:
                beside.append(_place(scores, token, wants if isinstance(wants, list) else _top(scores, wants)))
            # In the order of vllm/v1/core/sched/utils.py.
            if token in self._ends and not params.ignore_eos:
                reason = "stop"
            elif token in (params.stop_token_ids or ()):
                reason, stop_reason = "stop", token
            elif len(prompt) + len(tokens) >= self._window or len(tokens) >= (params.max_tokens or self._window):
                reason = "length"
        assert not params.detokenize, "text is not worked out here"
        done = CompletionOutput(0, "", tokens, None, beside if wants is not None else None, reason, stop_reason)
        return RequestOutput(request_id, None, prompt, places, [done], True)


def _top(scores: torch.Tensor, count: int) -> list[int]:
    return scores.topk(count).indices.tolist() if count else []


def _place(scores: torch.Tensor, token: int, others: list[int]) -> dict[int, Logprob]:
    """The token first, with the number of tokens that are at least as likely; then the others, which overwrite it."""
    place = {token: Logprob(float(scores[token]), int((scores >= scores[token]).sum()))}
    for rank, other in enumerate(others, start=1):
        place[other] = Logprob(float(scores[other]), rank)
    return place
