"""Check of a model folder's small files and weight headers, before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lensbench.backbones.headers import weight_headers
from lensbench.errors import DataError, UnavailableError
from lensbench.jsonio import JsonObject, read_bounded, read_json_file

__all__ = ["check_folder", "read_config"]

_SMALL = ("generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
"""Read whole where they are there; each must be an object."""
_LARGE = ("tokenizer.json", "vocab.json")
_SMALL_BYTES = 2**26
_MOST = {
    "num_hidden_layers": 4096,
    "hidden_size": 2**20,
    "intermediate_size": 2**24,
    "num_attention_heads": 2**14,
    "num_key_value_heads": 2**14,
    "head_dim": 2**16,
    "vocab_size": 2**24,
    "max_position_embeddings": 2**40,
    "n_layer": 4096,
    "n_layers": 4096,
    "num_layers": 4096,
    "encoder_layers": 4096,
    "decoder_layers": 4096,
    "n_head": 2**14,
    "n_embd": 2**20,
    "d_model": 2**20,
    "num_experts": 2**14,
    "num_local_experts": 2**14,
    "n_routed_experts": 2**14,
}
"""Sizes that a configuration must give as whole numbers above 0, and the largest that is believed."""
_LEAST = {"num_experts": 0, "num_local_experts": 0, "n_routed_experts": 0, "encoder_layers": 0, "decoder_layers": 0}
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers")
_BOM = b"\xef\xbb\xbf"


def read_config(folder: Path) -> JsonObject:
    """The `config.json` of a model folder.

    Raises:
        DataError: it is not there, no plain file, no JSON object, or begins with a byte order mark; or a size in it is no size.
    """
    config = _object(folder / "config.json")
    text = config.get("text_config")
    for part in (config, text if isinstance(text, dict) else {}):
        for key, most in _MOST.items():
            value, least = part.get(key), _LEAST.get(key, 1)
            # Some architectures give a list, a value for each block.
            if value is not None and not isinstance(value, list) and (type(value) is not int or not least <= value <= most):
                raise DataError(
                    f"{folder / 'config.json'}: {key} must be a whole number from {least} to {most}, found {_shown(value)}"
                )
    return config


def check_folder(folder: Path) -> None:
    """
    Raises:
        UnavailableError: a file of the folder is broken, it holds no safetensors, or an adapter in place of a model.
    """
    try:
        _check(folder)
    except DataError as error:
        raise UnavailableError(f"could not load {folder}: {error.message}", error.hint) from None
    except OSError as error:
        raise UnavailableError(f"could not load {folder}: {error.strerror or error}") from None


def _check(folder: Path) -> None:
    config = read_config(folder)
    if not any(folder.glob("*.safetensors")):
        raise UnavailableError(
            f"{folder} holds no .safetensors weights", "Pickled weights are not read; convert them with save_pretrained."
        )
    if (folder / "adapter_config.json").exists():
        # transformers would load another model, which this file names, and put the adapter on it.
        raise UnavailableError(
            f"{folder} holds an adapter (adapter_config.json), not a model",
            "Merge it into its base model (peft: merge_and_unload, then save_pretrained), or take adapter_config.json away.",
        )
    if not isinstance(config.get("model_type"), str):
        found = _shown(config.get("model_type"))
        raise DataError(f"{folder / 'config.json'}: model_type must name an architecture, found {found}", "Example: llama")
    for path in folder.iterdir():
        # A pipe would be waited for without end.
        if path.suffix in (".json", ".jinja", ".model", ".safetensors", ".txt") and not path.is_file():
            raise DataError(f"{path} is not a plain file")
    _check_ends(folder / "config.json", config)
    for name in _SMALL:
        if (folder / name).exists():
            _check_ends(folder / name, _object(folder / name))
    for name in _LARGE:
        if (folder / name).exists():
            _refuse_bom(folder / name, read_bounded(folder / name))
    for template in folder.glob("*.jinja"):
        try:
            read_bounded(template, _SMALL_BYTES).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{template}: not UTF-8 at byte {error.start}") from None
    _check_shards(folder, config)


def _check_ends(path: Path, settings: JsonObject) -> None:
    """What ends an answer is looked for among token ids, long after the weights were read."""
    ends = settings.get("eos_token_id")
    if ends is not None and not all(type(i) is int for i in (ends if isinstance(ends, list) else [ends])):
        raise DataError(f"{path}: eos_token_id must be a token id or a list of them, found {_shown(ends)}")


def _check_shards(folder: Path, config: JsonObject) -> None:
    """More blocks in the configuration than could lie in the weights are refused before they are built."""
    headers = weight_headers(folder)
    text = config.get("text_config")
    sizes = text if isinstance(text, dict) else config
    for key in _LAYERS:
        if isinstance(sizes.get(key), int) and sizes[key] > len(headers):
            raise DataError(f"{folder / 'config.json'}: {key} is {sizes[key]}, the weights hold {len(headers)} tensors in all")


def _object(path: Path) -> JsonObject:
    value = read_json_file(path, limit=_SMALL_BYTES)
    _refuse_bom(path, path.read_bytes()[:3])
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected an object, found {type(value).__name__}")
    return value


def _refuse_bom(path: Path, content: bytes) -> None:
    """transformers does not read a file with one, and says so in a way that names no file."""
    if content.startswith(_BOM):
        raise DataError(
            f"{path} begins with a byte order mark, which transformers does not read", "Save it as UTF-8 without one."
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
