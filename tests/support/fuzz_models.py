"""Broken model folders: seeded changes to a tiny one that works, and what must come of opening each."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["Mutation", "mutations", "open_and_use"]

Change = Callable[[Path], None]
Mutation = tuple[str, Change]
"""What is done, in words; a function that does it to a folder."""

_JSON = ("config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json")
_SIZES = (
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "max_position_embeddings",
)
_VALUES = (0, -1, 1, 3, 2**31, 10**18, 1.5, "32", None, True, [], [1, 2], {}, float("nan"), "\u202e", {"a": {"b": 1}})
_TEMPLATES = (
    "",
    "{{",
    "{% for m in messages %}",
    "{{ 1 / 0 }}",
    "{{ raise_exception('no') }}",
    "{{ undefined.thing }}",
    "{{ messages[9].content }}",
    "{% for i in range(10**9) %}x{% endfor %}",
    "{{ cycler.__init__.__globals__ }}",
    "{% include 'x' %}",
    "{{ messages | tojson }}",
    "{% for m in messages %}{{ m.text }}{% endfor %}",
    "{{ messages[0].content }}",
    "{% for m in messages %}{{ m.content[:2] }}{% endfor %}",
    "\x00",
    "{{ bos_token }}" * 50,
    "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
)


def mutations(seed: int) -> Iterator[Mutation]:
    """Changes without end, all drawn from one seed; every kind comes once before any comes twice."""
    rng = random.Random(seed)
    kinds = [
        _bytes_of_json,
        _size,
        _key,
        _drop,
        _template,
        _weights_cut,
        _weights_bytes,
        _weights_header,
        _tensors,
        _index,
        _not_a_file,
        _nested,
        _special,
        _vocabulary,
        _gone,
        _architecture,
        _quantised,
        _generation,
    ]
    while True:
        rng.shuffle(kinds)
        for kind in kinds:
            yield kind(rng)


def open_and_use(folder: Path) -> None:
    """What a run does with a model folder: find, check, load, render, score, answer.

    Raises:
        LensbenchError: whatever is wrong with the folder.
    """
    from lensbench.backbones import get_backbone
    from lensbench.backbones.load import load_backbone
    from lensbench.backbones.resolve import find_checkpoint
    from lensbench.engines.chat import check_template, encode_prompt
    from lensbench.engines.protocol import AnswerRequest
    from lensbench.engines.reference.lm import LensLM

    backbone = get_backbone(str(folder))
    loaded = load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")
    check_template(loaded.tokenizer, None, turns=2)
    lm = LensLM(loaded)
    lm.score_tokens(lm.token_requests([("a question", " yes"), ("a question", " no")]))
    prompt = encode_prompt(loaded.tokenizer, lm.apply_chat_template([{"role": "user", "content": "hello"}]))
    room = lm.max_length - len(prompt)
    if room > 0:
        lm.answer([AnswerRequest(tuple(prompt), min(3, room))])
    assert len(loaded.tokenizer_digest) == 16


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def _bytes_of_json(rng: random.Random) -> Mutation:
    name, how = rng.choice(_JSON), rng.choice(("BOM", "cut", "empty", "null", "a list", "latin-1", "digits", "twice", "utf-16"))
    place = rng.random()

    def change(folder: Path) -> None:
        path = folder / name
        old = path.read_bytes()
        path.write_bytes(
            {
                "BOM": b"\xef\xbb\xbf" + old,
                "cut": old[: int(place * len(old))],
                "empty": b"",
                "null": b"null",
                "a list": b"[1]",
                "latin-1": old.replace(b"{", b'{"x": "\xe9",', 1),
                "digits": b'{"x": ' + b"9" * 5000 + b"}",
                "twice": old + old,
                "utf-16": old.decode().encode("utf-16"),
            }[how]
        )

    return f"{name}: {how}", change


def _size(rng: random.Random) -> Mutation:
    key, value = rng.choice(_SIZES), rng.choice(_VALUES)
    return f"config.json: {key} = {value!r}", lambda folder: _edit(folder / "config.json", lambda c: c.update({key: value}))


def _key(rng: random.Random) -> Mutation:
    key = rng.choice(
        (
            "rope_scaling",
            "rope_parameters",
            "hidden_act",
            "dtype",
            "tie_word_embeddings",
            "rms_norm_eps",
            "architectures",
            "eos_token_id",
            "auto_map",
            "text_config",
            "attention_dropout",
            "layer_types",
            "sliding_window",
        )
    )
    value = rng.choice((*_VALUES, "sideways", {"rope_type": "sideways", "factor": "x"}, {"AutoConfig": "mine.Mine"}))
    return f"config.json: {key} = {value!r}", lambda folder: _edit(folder / "config.json", lambda c: c.update({key: value}))


def _drop(rng: random.Random) -> Mutation:
    name = rng.choice(_JSON[:1] + _JSON[2:])
    place = rng.random()

    def change(folder: Path) -> None:
        _edit(folder / name, lambda c: c.pop(sorted(c)[int(place * len(c))]))

    return f"{name}: a key left out at {place:.2f}", change


def _template(rng: random.Random) -> Mutation:
    text = rng.choice(_TEMPLATES)
    return f"chat template {text[:40]!r}", lambda folder: (folder / "chat_template.jinja").write_text(text) and None


def _weights_cut(rng: random.Random) -> Mutation:
    place = rng.choice((0, 4, 8, 9, 0.1, 0.5, 0.999))

    def change(folder: Path) -> None:
        path = folder / "model.safetensors"
        os.truncate(path, int(place * path.stat().st_size) if place < 1 else int(place))

    return f"weights cut at {place}", change


def _weights_bytes(rng: random.Random) -> Mutation:
    content = rng.choice(
        (
            rng.randbytes(2000),
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            b"<html></html>" * 9,
            struct.pack("<Q", 2**62) + b"x" * 99,
            struct.pack("<Q", 2) + b"{}",
            struct.pack("<Q", 2) + b"[]",
        )
    )
    return f"weights are {content[:12]!r}", lambda folder: (folder / "model.safetensors").write_bytes(content) and None


def _weights_header(rng: random.Random) -> Mutation:
    spot = rng.random()

    def change(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = bytearray(path.read_bytes())
        length = struct.unpack("<Q", content[:8])[0]
        content[8 + int(spot * (length - 1))] ^= 0x15
        path.write_bytes(content)

    return f"a byte of the weights' header at {spot:.2f}", change


def _tensors(rng: random.Random) -> Mutation:
    how, spot = rng.choice(("prefix", "renamed", "gone", "more", "shape", "integers", "nan", "lora", "scalar")), rng.random()

    def change(folder: Path) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        held = load_file(folder / "model.safetensors")
        name = sorted(held)[int(spot * len(held))]
        if how == "prefix":
            held = {f"module.model.{key}": value for key, value in held.items()}
        elif how in ("renamed", "lora"):
            held[name.replace(".weight", ".0.weight" if how == "renamed" else ".base_layer.weight")] = held.pop(name)
        elif how == "gone":
            del held[name]
        elif how == "more":
            held["model.layers.7.mlp.up_proj.weight"] = torch.zeros(2)
        elif how == "shape":
            held[name] = held[name][:1]
        elif how == "scalar":
            held[name] = torch.tensor(1.0)
        elif how == "integers":
            held[name] = held[name].to(torch.int64)
        else:
            held[name][..., 0] = float("nan")
        save_file({key: value.clone() for key, value in held.items()}, folder / "model.safetensors", metadata={"format": "pt"})

    return f"tensors: {how} at {spot:.2f}", change


def _index(rng: random.Random) -> Mutation:
    content = rng.choice(
        (
            {"weight_map": {"lm_head.weight": "../x.safetensors"}},
            {"weight_map": {"lm_head.weight": "model-2.safetensors"}},
            {},
            [],
            {"weight_map": {}},
            {"weight_map": ["x"]},
            {"weight_map": {"lm_head.weight": 7}},
            {"weight_map": {"a": "/etc/passwd"}},
            {"metadata": None, "weight_map": {"lm_head.weight": "model-1.safetensors"}},
        )
    )

    def change(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "model-1.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps(content))

    return f"index {content}", change


def _not_a_file(rng: random.Random) -> Mutation:
    name, how = (
        rng.choice((*_JSON, "model.safetensors", "chat_template.jinja")),
        rng.choice(("fifo", "folder", "dangling", "itself")),
    )

    def change(folder: Path) -> None:
        path = folder / name
        path.unlink()
        if how == "fifo":
            os.mkfifo(path)
        elif how == "folder":
            path.mkdir()
        else:
            path.symlink_to("nowhere" if how == "dangling" else name)

    return f"{name} is a {how}", change


def _nested(rng: random.Random) -> Mutation:
    name, depth = rng.choice(_JSON), rng.choice((300, 100_000))
    text = '{"x": ' + "[" * depth + "]" * depth + "}"
    return f"{name} nested {depth} deep", lambda folder: (folder / name).write_text(text) and None


def _special(rng: random.Random) -> Mutation:
    key = rng.choice(
        (
            "bos_token",
            "eos_token",
            "pad_token",
            "unk_token",
            "tokenizer_class",
            "model_max_length",
            "added_tokens_decoder",
            "chat_template",
            "add_bos_token",
            "extra_special_tokens",
            "padding_side",
        )
    )
    value = rng.choice((*_VALUES, {"content": 7}, "LlamaTokenizerFast", "<new>", {"7": {"content": "x"}}, ["<a>", 3]))
    return f"tokenizer_config.json: {key} = {value!r}", lambda folder: _edit(
        folder / "tokenizer_config.json", lambda c: c.update({key: value})
    )


def _vocabulary(rng: random.Random) -> Mutation:
    how = rng.choice(("larger", "empty", "no model", "kind", "float ids", "eos behind", "normalizer"))

    def edit(document: dict[str, Any]) -> None:
        model = document["model"]
        if how == "larger":
            model["vocab"]["zzz"] = 999
        elif how == "empty":
            model["vocab"] = {}
        elif how == "no model":
            del document["model"]
        elif how == "kind":
            model["type"] = "Sideways"
        elif how == "float ids":
            model["vocab"] = {key: float(value) for key, value in model["vocab"].items()}
        elif how == "normalizer":
            document["normalizer"] = {"type": "Replace", "pattern": {"Regex": "a"}, "content": ""}
        else:
            document["post_processor"] = {
                "type": "TemplateProcessing",
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}},
            }

    return f"tokenizer.json: {how}", lambda folder: _edit(folder / "tokenizer.json", edit)


def _gone(rng: random.Random) -> Mutation:
    name = rng.choice((*_JSON, "model.safetensors"))
    return f"{name} is gone", lambda folder: (folder / name).unlink()


def _architecture(rng: random.Random) -> Mutation:
    kind = rng.choice(
        ("bert", "t5", "clip", "sideways", "", None, 7, "../x", "gpt2", "whisper", "mamba", "deepseek_v3", "encoder-decoder")
    )
    return f"model_type = {kind!r}", lambda folder: _edit(folder / "config.json", lambda c: c.update(model_type=kind))


def _quantised(rng: random.Random) -> Mutation:
    settings = rng.choice(
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            {"quant_method": "gptq", "bits": 4},
            {"quant_method": "sideways"},
            {},
            7,
            {"quant_method": "awq"},
            {"quant_method": "fp8"},
            {"bits": 4},
            [],
        )
    )
    return f"quantization_config = {settings}", lambda folder: _edit(
        folder / "config.json", lambda c: c.update(quantization_config=settings)
    )


def _generation(rng: random.Random) -> Mutation:
    key = rng.choice(("eos_token_id", "temperature", "num_beams", "max_length", "cache_implementation", "top_k", "do_sample"))
    value = rng.choice((*_VALUES, "sideways", [1, "x"], -7))
    return f"generation_config.json: {key} = {value!r}", lambda folder: _edit(
        folder / "generation_config.json", lambda c: c.update({key: value})
    )


def broken_copy(source: Path, target: Path, mutation: Mutation) -> Path:
    """The folder with the change done."""
    shutil.copytree(source, target)
    mutation[1](target)
    return target
