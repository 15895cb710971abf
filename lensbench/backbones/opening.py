"""The one way to have transformers read a model folder: whatever goes wrong becomes an error that names the folder.

transformers raises some twenty kinds of exception on broken folders, and fills tensors that it does not find with random numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import torch

from lensbench.backbones.checkpoint import Checkpoint
from lensbench.backbones.folder import check_folder
from lensbench.backbones.headers import TensorHeader, weight_headers
from lensbench.errors import LensbenchError, UnavailableError

__all__ = [
    "check_quantisation",
    "compare_shapes",
    "open_config",
    "open_generation_config",
    "open_model",
    "open_tokenizer",
    "try_out",
]

_T = TypeVar("_T")
_NAMED = 5
_REAL = frozenset({"F64", "F32", "F16", "BF16"})
_LARGER = 2
"""A configuration that describes more than this many times the numbers in the weight files is refused before it is built."""
_LEFT_BY_QUANTISATION = re.compile(
    r"\.(weight_scale(_inv)?|input_scale|output_scale|weight_zero_point|input_zero_point|[kv]_scale|activation_scale"
    r"|absmax|quant_map|nested_absmax|nested_quant_map|quant_state\.\w+|SCB|weight_format|g_idx|qzeros|scales)$"
)
"""Names that only describe how a quantised weight was packed; a loader that has read the weight may leave them over."""


def open_config(checkpoint: Checkpoint, *, trust: bool = False) -> Any:
    """The configuration of a model folder.

    Raises:
        UnavailableError: a file of the folder is broken, transformers does not know the architecture, or it needs code
            of the folder's own.
    """
    from transformers import AutoConfig

    check_folder(checkpoint.path)
    return _guarded(checkpoint, "configuration", lambda: AutoConfig.from_pretrained(checkpoint.path, trust_remote_code=trust))


def open_generation_config(checkpoint: Checkpoint, config: Any) -> Any:
    """The generation configuration that a model of this folder has.

    Args:
        config: The model's; it stands in where the folder has no `generation_config.json`.

    Raises:
        UnavailableError: the file is there and cannot be read.
    """
    from transformers import GenerationConfig

    if not (checkpoint.path / "generation_config.json").is_file():
        return GenerationConfig.from_model_config(config)
    return _guarded(checkpoint, "generation configuration", lambda: GenerationConfig.from_pretrained(checkpoint.path))


def check_quantisation(checkpoint: Checkpoint, config: Any) -> None:
    """Whether the packages that read quantised weights are installed.

    Raises:
        UnavailableError: one is missing, or the method is unknown or cannot be used on this machine.
    """
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return

    def check() -> None:
        from transformers.quantizers.auto import AutoHfQuantizer

        AutoHfQuantizer.from_config(settings, pre_quantized=True).validate_environment(device_map=None, weights_only=True)

    _guarded(checkpoint, "quantised weights", check)


def open_tokenizer(checkpoint: Checkpoint, *, trust: bool = False, **options: Any) -> Any:
    """The tokenizer of a model folder.

    Raises:
        UnavailableError: it is not there, or cannot be read.
    """
    from transformers import AutoTokenizer

    def read() -> Any:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.path, trust_remote_code=trust, **options)
        if not tokenizer.encode("a", add_special_tokens=False):
            raise ValueError("it produces no token for a letter")
        tokenizer.decode(tokenizer.encode("a"))
        return tokenizer

    return _guarded(checkpoint, "tokenizer", read)


def open_model(checkpoint: Checkpoint, kind: Any, *, dtype: torch.dtype, trust: bool = False) -> Any:
    """The model of a folder, every tensor of which came from the folder.

    Args:
        kind: The auto class of transformers.

    Raises:
        UnavailableError: a file of the folder is broken, or weights and configuration do not fit: tensors are missing, left
            over, or of another shape.
    """

    def read() -> Any:
        return kind.from_pretrained(
            checkpoint.path, dtype=dtype, use_safetensors=True, trust_remote_code=trust, output_loading_info=True
        )

    model, found = _guarded(checkpoint, "weights", read)
    _refuse_gaps(checkpoint, model, found)
    return model


def try_out(checkpoint: Checkpoint, model: Any, ids: list[int]) -> None:
    """Read one token, as scoring and answering will: some settings of a configuration are looked at only then.

    Raises:
        UnavailableError: the model does not run.
    """

    def run() -> None:
        from transformers.cache_utils import DynamicCache

        DynamicCache(config=model.config)
        with torch.inference_mode():
            model(input_ids=torch.tensor([ids], device=model.device), use_cache=True)

    _guarded(checkpoint, "model", run)


def compare_shapes(checkpoint: Checkpoint, kind: Any, config: Any, *, trust: bool = False) -> None:
    """Shapes and kinds of the configuration against those of the files, on a model without storage; those of quantised weights
    are others.

    Raises:
        UnavailableError: they differ, or the configuration describes a far larger model than the files hold.
    """
    if getattr(config, "quantization_config", None) is not None:
        return
    headers: dict[str, TensorHeader] = weight_headers(checkpoint.path)

    def build() -> Any:
        with torch.device("meta"):
            return kind.from_config(config, trust_remote_code=trust)

    state = _guarded(checkpoint, "configuration", build).state_dict()
    _refuse_packed(checkpoint, headers, {name for name, tensor in state.items() if tensor.is_floating_point()})
    wanted = {name: tuple(tensor.shape) for name, tensor in state.items()}
    unlike = [
        f"{name} ({list(headers[name].shape)} in {headers[name].file}, {list(shape)} by config.json)"
        for name, shape in wanted.items()
        if name in headers and headers[name].shape != shape
    ]
    if unlike:
        raise UnavailableError(
            f"could not load {checkpoint.name}: {len(unlike)} tensors have another shape than config.json says: "
            f"{_first(unlike, 3)}",
            "Weights and config.json belong to different models, or the embedding was not resized.",
        )
    described = sum(torch.Size(shape).numel() for shape in wanted.values())
    held = sum(header.numbers for header in headers.values())
    if described > _LARGER * held + 2**16:
        raise UnavailableError(
            f"could not load {checkpoint.name}: config.json describes a model of {described:,} numbers, its weight files hold "
            f"{held:,}",
            "Weights and config.json belong to different models, or files are missing.",
        )


def _refuse_packed(checkpoint: Checkpoint, headers: Mapping[str, TensorHeader], real: set[str]) -> None:
    """
    Args:
        real: Names of tensors that the model computes with as real numbers.

    Raises:
        UnavailableError: the files have whole numbers or 8-bit floats there, and config.json does not say how they were scaled.
            transformers would take them as they are.
    """
    packed = sorted(name for name in real & headers.keys() if headers[name].dtype not in _REAL)
    if packed:
        first = headers[packed[0]]
        raise UnavailableError(
            f"could not load {checkpoint.name}: {len(packed)} tensors are of type {first.dtype[:20]} ({packed[0][:120]} in "
            f"{first.file}), and config.json has no quantization_config that explains them",
            "Copy config.json from the source of the quantised weights, or use weights in bfloat16, float16 or float32.",
        )


def _refuse_gaps(checkpoint: Checkpoint, model: Any, found: Mapping[str, Any]) -> None:
    """
    Raises:
        UnavailableError: a tensor of the model came from nowhere, or one of the folder went nowhere. transformers has already
            taken away what may be missing (tied weights) or left over (rotary frequencies, position ids).
    """
    quantised = getattr(model.config, "quantization_config", None) is not None
    missing = set(found.get("missing_keys", ())) - set(getattr(model, "all_tied_weights_keys", None) or {})
    extra = {name for name in found.get("unexpected_keys", ()) if not (quantised and _LEFT_BY_QUANTISATION.search(name))}
    unlike = {str(entry[0]) for entry in found.get("mismatched_keys", ())}
    parts = [
        *([f"it lacks {len(missing)} tensors of the model ({_first(sorted(missing))})"] if missing else []),
        *([f"{len(extra)} of its tensors belong nowhere in the model ({_first(sorted(extra))})"] if extra else []),
        *([f"{len(unlike)} have another shape ({_first(sorted(unlike))})"] if unlike else []),
    ]
    if parts:
        raise UnavailableError(
            f"could not load {checkpoint.name}: its weights do not fill the model {type(model).__name__}: {'; '.join(parts)}",
            "Missing tensors would be random numbers. Merge any adapter and save the model again with save_pretrained.",
        )


def _first(names: Iterable[str], most: int = _NAMED) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(name[:120] for name in listed[:most]) + more


def _guarded(checkpoint: Checkpoint, what: str, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except (LensbenchError, KeyboardInterrupt, SystemExit):
        raise
    except (MemoryError, torch.OutOfMemoryError):
        raise UnavailableError(f"could not load {checkpoint.name}: there is not enough memory for its {what}") from None
    except ImportError as error:
        raise UnavailableError(
            f"could not load {checkpoint.name}: a package that its {what} needs is missing ({_line(error)})",
            "Install that package, or use a checkpoint that does not need it.",
        ) from None
    except BaseException as error:
        # A panic in Rust, which tokenizers is written in, is no Exception.
        # A stranger's folder meets code that was not written for it; which exceptions that may be, nobody has listed.
        said = str(error)
        hint = None
        if "trust_remote_code" in said:
            hint = "It needs Python code of its own: ``trust_model=True`` lets it run. Read that code first."
        raise UnavailableError(f"could not load {checkpoint.name}: its {what} cannot be read ({_line(error)})", hint) from None


def _line(error: BaseException) -> str:
    """The first line of an error that says something, at most 300 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    return (f"{type(error).__name__}: {text}" if len(text) < 40 else text)[:300]
