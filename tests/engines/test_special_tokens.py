"""What a tokenizer adds around a text: one BOS where it adds one, no EOS inside a request, prompt or training row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from lm_eval.models.huggingface import HFLM

from lensbench.backbones import get_backbone
from lensbench.backbones.load import LoadedBackbone, load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.engines.chat import encode_prompt
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.specials import added_around
from lensbench.errors import UnavailableError, UsageError
from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.prompts import probe_ids, train_ids
from lensbench.methods.sft.encode import chat_layout, encode
from lensbench.methods.sft.template import encode_with_offsets

BOS, EOS = 0, 1


def adding(source: Path, target: Path, front: list[str], back: list[str]) -> LoadedBackbone:
    """The tiny model, with a tokenizer that adds tokens at either end."""
    shutil.copytree(source, target)
    path = target / "tokenizer.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    a, b = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    document["post_processor"] = {
        "type": "TemplateProcessing",
        "pair": [a, b],
        "single": [*_specials(front), a, *_specials(back)],
        "special_tokens": {t: {"id": t, "ids": [n], "tokens": [t]} for t, n in (("<s>", BOS), ("</s>", EOS))},
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    backbone = get_backbone(str(target))
    return load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")


def _specials(names: list[str]) -> list[dict[str, Any]]:
    return [{"SpecialToken": {"id": name, "type_id": 0}} for name in names]


@pytest.fixture(params=["bos", "both", "two and eos"])
def loaded(request: pytest.FixtureRequest, tiny_model_dir: Path, tmp_path: Path) -> LoadedBackbone:
    front, back = {"bos": (["<s>"], []), "both": (["<s>"], ["</s>"]), "two and eos": (["<s>", "<s>"], ["</s>"])}[request.param]
    return adding(tiny_model_dir, tmp_path / "m", front, back)


def test_scoring_requests(loaded: LoadedBackbone) -> None:
    lm = LensLM(loaded)
    # Letters are their place in the byte alphabet behind three specials.
    assert lm.token_request("ab", " cd")[1:] == ([BOS, 67, 68], [223, 69, 70])
    assert lm.token_request("ab", "cd", first_token=True)[1:] == ([BOS, 67, 68], [69])
    assert lm.token_request("", "cd")[1:] == ([BOS], [69, 70])
    assert lm.token_request("<s>ab", "cd")[1:] == ([BOS, 67, 68], [69, 70])
    pairs = [("ab", " cd"), ("ab", "cd"), ("", "cd"), ("<s>ab", "cd"), ("ab</s>", "cd")]
    assert lm.token_requests(pairs) == [lm.token_request(*pair) for pair in pairs]
    assert lm.token_request("ab</s>", "cd")[1:] == ([BOS, 67, 68, EOS], [69, 70]), "an EOS that the text itself holds stays"
    assert lm.tok_encode("ab") == [BOS, 67, 68]


def test_prompts_and_training_rows(loaded: LoadedBackbone) -> None:
    tokenizer = loaded.tokenizer
    for text in ("<user>hi", "<s><user>hi"):
        ids = encode_prompt(tokenizer, text)
        assert (ids.count(BOS), ids.count(EOS)) == (1, 0)
    ids, spans = encode_with_offsets(tokenizer, "hi")
    assert len(ids) == len(spans) and EOS not in ids
    layout = chat_layout(tokenizer, None)
    row = encode(tokenizer, layout.prompt("question"), "answer", layout.end, 200)
    assert row is not None and EOS not in row.ids and row.ids.count(BOS) == 1
    config = LensConfig()
    for made in (*train_ids(loaded, ["one"], config), *probe_ids(loaded, ["one"], config)):
        assert EOS not in made and made[0] == BOS


def test_parity_with_lm_eval_where_it_is_right(tiny_model_dir: Path, tmp_path: Path) -> None:
    pairs = [("ab", " cd"), ("", "cd"), ("<s>ab", "cd")]
    for back in ([], ["</s>"]):
        loaded = adding(tiny_model_dir, tmp_path / f"m{len(back)}", ["<s>"], back)
        theirs = HFLM(pretrained=loaded.model, tokenizer=loaded.tokenizer, backend="causal")
        ours, same = LensLM(loaded), []
        for context, continuation in pairs[:1]:
            same.append(tuple(theirs._encode_pair(context, continuation)) == ours.token_request(context, continuation)[1:])
        # lm-eval leaves the EOS between question and option.
        assert same == [not back]


def test_a_digest_tells_such_a_tokenizer_from_before(tiny_model_dir: Path, tmp_path: Path) -> None:
    plain = adding(tiny_model_dir, tmp_path / "a", ["<s>"], [])
    ends = adding(tiny_model_dir, tmp_path / "b", ["<s>"], ["</s>"])
    assert added_around(plain.tokenizer) == ([BOS], []) and added_around(ends.tokenizer) == ([BOS], [EOS])
    assert plain.tokenizer_digest != ends.tokenizer_digest


def test_without_any_special_token(tiny_model_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model_dir, tmp_path / "m")
    for name, keys in (
        ("tokenizer_config.json", ("bos_token", "eos_token", "pad_token")),
        ("generation_config.json", ("bos_token_id", "eos_token_id", "pad_token_id")),
        ("config.json", ("bos_token_id", "eos_token_id", "pad_token_id")),
    ):
        document = json.loads((tmp_path / "m" / name).read_text())
        (tmp_path / "m" / name).write_text(json.dumps({key: None if key in keys else value for key, value in document.items()}))
    backbone = get_backbone(str(tmp_path / "m"))
    loaded = load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")
    assert loaded.tokenizer.bos_token_id is None and loaded.tokenizer.eos_token_id is None
    lm = LensLM(loaded)
    assert lm.token_request("ab", " cd")[1:] == ([67, 68], [223, 69, 70])
    assert len(lm.score_tokens([lm.token_request("ab", " cd")])) == 1
    with pytest.raises(UsageError, match="neither BOS nor EOS, and a text without context needs one"):
        lm.token_request("", "cd")


def test_a_token_for_images_behind_the_embedding_is_no_fault_until_a_text_holds_it(tiny_model_dir: Path, tmp_path: Path) -> None:
    """Gemma 3 lists one; the embedding of its text models has no row for it."""
    from transformers import AutoTokenizer

    shutil.copytree(tiny_model_dir, tmp_path / "m")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "m")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.save_pretrained(tmp_path / "m")
    backbone = get_backbone(str(tmp_path / "m"))
    loaded = load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")
    lm = LensLM(loaded)
    assert lm.score_tokens(lm.token_requests([("ab", " cd")]))
    with pytest.raises(UsageError, match="holds '<image>', which is a token without a row"):
        lm.token_requests([("ab <image>", " cd")])


@pytest.mark.parametrize(("tokens", "special"), [(["zzz"], False), (["<assistant>", "<user>"], True)])
def test_tokens_that_prompts_hold_need_a_row(tiny_model_dir: Path, tmp_path: Path, tokens: list[str], special: bool) -> None:
    from transformers import AutoTokenizer

    shutil.copytree(tiny_model_dir, tmp_path / "m")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "m")
    tokenizer.add_tokens(tokens, special_tokens=special)
    tokenizer.save_pretrained(tmp_path / "m")
    backbone = get_backbone(str(tmp_path / "m"))
    with pytest.raises(
        UnavailableError, match=f"has {len(tokens)} tokens beyond the embedding's 259 rows, such as '{tokens[0]}'"
    ):
        load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")
