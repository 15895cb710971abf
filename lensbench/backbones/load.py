"""A backbone in memory: model, tokenizer, and the parts that every method needs to find in any architecture."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from lensbench.backbones.checkpoint import Checkpoint
from lensbench.backbones.opening import check_quantisation, compare_shapes, open_config, open_model, open_tokenizer, try_out
from lensbench.backbones.registry import Backbone
from lensbench.errors import UnavailableError, UsageError
from lensbench.memory import resident_bytes
from lensbench.printable import printable

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "LoadedBackbone",
    "PromptEditor",
    "attend_at_any_shape",
    "check_loadable",
    "digest_of_tokenizer",
    "load_backbone",
    "pick_device",
    "pick_dtype",
    "with_pad_token",
]


class PromptEditor(Protocol):
    """What is applied to a backbone, if it changes nothing but states at the last token of a prompt and can do so block by block.

    An engine that calls blocks one by one, on tokens of its own choice, tells it where prompts end among them. Whoever puts an
    editor in place answers for every hook that it brought along.
    """

    @property
    def untouched(self) -> Mapping[int, torch.nn.Module]:
        """Modules, by block, whose outputs at the ends of prompts it needs as the backbone itself computes them."""
        ...

    def editing(self, ends: torch.Tensor, untouched: Mapping[int, torch.Tensor]) -> AbstractContextManager[None]:
        """Modules are called on one row of tokens, whatever surrounds them, while the context lasts.

        Args:
            ends: `[ends]`, where prompts end among the tokens.
            untouched: `[ends, hidden]` by block, for those of the modules above that will be called.
        """
        ...


@dataclass
class LoadedBackbone:
    """A backbone ready to be read, trained and scored."""

    backbone: Backbone
    checkpoint: Checkpoint
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    resident_before: int | None = None
    """Resident memory of the process before the weights were loaded: Python, its libraries and the tokenizer."""
    wants_prompt_ends: bool = False
    """Whether what is applied at the moment works on the last token of a prompt, so that engines must tell where that is."""
    prompt_ends: torch.Tensor | None = None
    """`[rows]`, of the forward pass under way: index of the last prompt token, -1 for a row without a prompt. None: the rows end
    with their prompts."""
    prompt_editor: PromptEditor | None = None
    """What is applied at the moment, if it works on the last token of a prompt and can do so block by block."""

    @contextmanager
    def prompts_ending_at(self, ends: Sequence[int]) -> Iterator[None]:
        """Context in which the rows of forward passes continue after the prompt."""
        self.prompt_ends = torch.tensor(ends, dtype=torch.long, device=self.device) if self.wants_prompt_ends else None
        try:
            yield
        finally:
            self.prompt_ends = None

    def added_bytes(self, peak: int | None) -> int | None:
        """A peak of resident memory without what Python and its libraries held before the weights were loaded.

        An accelerator counts tensors only, so there it is the peak itself; None where the system cannot tell.
        """
        if peak is None or self.device.type == "cuda":
            return peak
        return None if self.resident_before is None else peak - self.resident_before

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def pad_id(self) -> int:
        """Id that pads rows of different length. No real token attends to it, so any id works if the tokenizer names none."""
        pad = self.tokenizer.pad_token_id
        return 0 if pad is None else int(pad)

    @property
    def blocks(self) -> torch.nn.ModuleList:
        """The decoder blocks, first to last."""
        return _decoder(self.model).layers

    @property
    def final_norm(self) -> torch.nn.Module:
        return _decoder(self.model).norm

    @property
    def decoder(self) -> torch.nn.Module:
        """Embeddings, blocks and final norm, without the vocabulary projection."""
        return _decoder(self.model)

    @property
    def blocks_prefix(self) -> str:
        """Name of the block list inside the model's parameters, such as `model.layers`."""
        return next(name for name, module in self.model.named_modules() if module is self.blocks)

    @property
    def hidden_size(self) -> int:
        return int(self.model.get_input_embeddings().weight.shape[1])

    @functools.cached_property
    def tokenizer_digest(self) -> str:
        """16 hex digits over vocabulary, merges and chat template."""
        return digest_of_tokenizer(self.tokenizer)

    @property
    def generation_config(self) -> Any:
        return self.model.generation_config


def digest_of_tokenizer(tokenizer: Any) -> str:
    """16 hex digits over vocabulary, merges and chat template."""
    digest = hashlib.sha256()
    fast = getattr(tokenizer, "backend_tokenizer", None)
    digest.update((_lasting(fast) if fast is not None else repr(sorted(tokenizer.get_vocab().items()))).encode())
    digest.update(str(tokenizer.chat_template).encode())
    if tokenizer.encode("a")[-1:] != tokenizer.encode("a", add_special_tokens=False)[-1:]:
        # Records of before were made with what the tokenizer adds behind a text.
        digest.update(b"without what is added behind")
    return digest.hexdigest()[:16]


def with_pad_token(tokenizer: Any) -> Any:
    """The tokenizer; one that names no pad token pads with its end of text."""
    if tokenizer.pad_token_id is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _lasting(fast: Any) -> str:
    """A fast tokenizer without the truncation and padding that every call sets anew."""
    state = json.loads(fast.to_str())
    return json.dumps({**state, "truncation": None, "padding": None}, sort_keys=True)


def _decoder(model: Any) -> Any:
    decoder = model.base_model
    for candidate in (decoder, getattr(decoder, "language_model", None), getattr(decoder, "decoder", None)):
        if isinstance(getattr(candidate, "layers", None), torch.nn.ModuleList) and hasattr(candidate, "norm"):
            return candidate
    raise UsageError(
        f"the architecture {type(model).__name__} has its blocks in a place that lensbench does not know",
        "Llama, Qwen, Mistral, Phi-3 and Gemma families are supported.",
    )


def pick_device(device: str) -> str:
    """ "auto" is CUDA if available, otherwise the CPU.

    Raises:
        UsageError: no such device on this machine.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if torch.empty(0, device=device).is_meta:
            raise RuntimeError("its tensors hold no numbers")
    except (RuntimeError, AssertionError, ImportError) as error:
        raise UsageError(
            f"``device={device}`` cannot be used here: {str(error).splitlines()[0]}", "Known: auto, cpu, cuda, cuda:0, cuda:1 ..."
        ) from None
    return device


def pick_dtype(dtype: str, device: str) -> torch.dtype:
    """ "auto" is bf16 on an accelerator and fp32 on the CPU."""
    if dtype == "auto":
        return torch.float32 if device == "cpu" else torch.bfloat16
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in known:
        raise UsageError(f"unknown dtype '{dtype}'", f"Known: auto, {', '.join(known)}.")
    return known[dtype]


def load_backbone(
    backbone: Backbone, checkpoint: Checkpoint, *, device: str, dtype: str, trust: bool = False, tokenizer: Any = None
) -> LoadedBackbone:
    """Load model and tokenizer from a folder of safetensors.

    Args:
        trust: Whether the folder's own Python code may run.
        tokenizer: The folder's own, where `check_loadable` has opened it; None checks the folder first.

    Raises:
        UnavailableError: a file of the folder is broken, it is not a causal language model that transformers can read, its
            weights do not fill the model, or its tokenizer is another model's.
    """
    from transformers import AutoModelForCausalLM

    device = pick_device(device)
    trust = trust and backbone.is_given
    if tokenizer is None:
        tokenizer = with_pad_token(check_loadable(backbone, checkpoint, trust=trust)[0])
    attend_at_any_shape(device)
    before = resident_bytes()
    model = open_model(checkpoint, AutoModelForCausalLM, dtype=pick_dtype(dtype, device), trust=trust)
    try:
        model.to(device)
    except torch.OutOfMemoryError:
        raise UnavailableError(f"{device} has not enough memory for {checkpoint.name}", "Try ``dtype=bfloat16``.") from None
    model.eval()
    try_out(checkpoint, model, tokenizer.encode("a")[:1])
    return LoadedBackbone(backbone, checkpoint, model, tokenizer, before)


def attend_at_any_shape(device: str) -> None:
    """Switch cuDNN's attention off in this process, where a model goes to CUDA.

    It prepares a plan for every new shape, which takes tens of milliseconds, and an evaluation rarely has one shape twice: every
    decoding step is one token longer. torch's other kernels have no such cost (docs/performance.md has the measurement).
    """
    if torch.device(device).type == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)


def check_loadable(backbone: Backbone, checkpoint: Checkpoint, *, trust: bool = False) -> tuple[Any, Any]:
    """Whether configuration, tokenizer and the headers of the weights belong together; no weights are read.

    Returns:
        The tokenizer and the configuration.

    Raises:
        UnavailableError: a file of the folder is broken, the architecture is unknown or no causal language model, or the
            tokenizer makes ids that the embedding does not have.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING, AutoModelForCausalLM

    trust = trust and backbone.is_given
    config = open_config(checkpoint, trust=trust)
    own = "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})
    encodes = type(config) in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False)
    if not own and (encodes or type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING):
        raise UnavailableError(
            f"could not load {checkpoint.name}: it is not a causal language model; transformers has none of type "
            f"'{printable(config.model_type)}'",
            "Encoders and encoder-decoders give no log-likelihood of a continuation.",
        )
    check_quantisation(checkpoint, config)
    compare_shapes(checkpoint, AutoModelForCausalLM, config, trust=trust)
    tokenizer = open_tokenizer(checkpoint, trust=trust)
    rows = getattr(config.get_text_config(), "vocab_size", None)
    beyond = sorted((i, token) for token, i in tokenizer.get_vocab().items() if isinstance(rows, int) and i >= rows)
    # Some families list a token for images, which text never makes, behind the last row.
    used = [
        token for i, token in beyond if i not in tokenizer.added_tokens_decoder or not tokenizer.added_tokens_decoder[i].special
    ]
    used = used or [token for _, token in beyond if _in_prompts(tokenizer, token, backbone.system_text)]
    if used:
        raise UnavailableError(
            f"could not load {checkpoint.name}: its tokenizer has {len(beyond)} tokens beyond the embedding's {rows} rows, such "
            f"as {printable(used[0], one_line=True)!r}",
            "Tokens were added and the embedding was not resized (model.resize_token_embeddings), or the tokenizer is another "
            "model's.",
        )
    return tokenizer, config


def _in_prompts(tokenizer: Any, token: str, system_text: str | None) -> bool:
    """Whether the chat template writes a token."""
    if not tokenizer.chat_template:
        return False
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except Exception:
        # What is wrong with the template is said where it is asked for.
        return token in str(tokenizer.chat_template)
    return token in str(text)
