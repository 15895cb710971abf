"""SDRRL's translators, each for real: a sequence-to-sequence model of NLLB's kind, an HTTP server, the user's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from judge_server import JudgeServer
from sdrrl_items import chosen

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import DataError, RunError, UnavailableError, UsageError
from lensbench.languages import get_language
from lensbench.methods.base import SilentProgress
from lensbench.methods.sdrrl.config import SdrrlConfig
from lensbench.methods.sdrrl.nllb import split_text
from lensbench.methods.sdrrl.stages import StageCost
from lensbench.methods.sdrrl.translation_files import read_translations
from lensbench.methods.sdrrl.translators import make_translator

CODES = ["eng_Latn", "zho_Hans", "swh_Latn"]


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def nllb_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny M2M100 with NLLB's tokenizer, trained for a moment to end its sentences: it copies them, badly."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny-nllb"
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + [chr(c) for c in range(ord("A"), ord("Z") + 1)]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "▁", *letters, *"0123456789.,!?'-"]
    tokenizer = NllbTokenizer(
        vocab={token: index for index, token in enumerate(tokens)}, merges=[], extra_special_tokens=CODES, src_lang="eng_Latn"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = M2M100Config(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=1024,
        dropout=0.0,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
        scale_embedding=True,
    )
    model = M2M100ForConditionalGeneration(config)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(60):
        text = ["one two", "three four five", "six. seven", "eight nine ten eleven"][step % 4]
        source = tokenizer(text, return_tensors="pt")
        language = tokenizer.convert_tokens_to_ids(CODES[1 + step % 2])
        labels = torch.tensor([[language, *source.input_ids[0, 1:5].tolist(), 2]])
        optimiser.zero_grad()
        model(**source, labels=labels).loss.backward()
        optimiser.step()
    model.eval().save_pretrained(folder)
    return folder


def one_at_a_time(folder: Path, text: str, code: str, beams: int, limit: int) -> str | None:
    """The slow, obvious way: every sentence alone through transformers' own generate; None when one has no end."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, src_lang="eng_Latn")
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    output = model.generate(
        **tokenizer(text, return_tensors="pt"),
        forced_bos_token_id=tokenizer.convert_tokens_to_ids(code),
        num_beams=beams,
        max_new_tokens=limit,
        do_sample=False,
    )
    ended = 2 in output[0, 1:].tolist()
    return tokenizer.decode(output[0], skip_special_tokens=True).strip() if ended else None


@pytest.mark.parametrize("beams", [1, 3])
def test_nllb_equals_one_sentence_at_a_time(tiny: LoadedBackbone, nllb_dir: Path, beams: int) -> None:
    _, config = chosen("zh", "sw")
    config = config.model_copy(
        update={"translator": "nllb", "translator_model": str(nllb_dir), "nllb_beams": beams, "translate_max_new_tokens": 12}
    )
    texts = ["One two. Three four!", "six, seven", "- eight nine\n\n1. ten", "a" * 30, "12 + 3", "```\nprint x\n```\nfive six"]
    for code, space in (("zh", ""), ("sw", " ")):
        language = get_language(code)
        cost = StageCost()
        translator = make_translator(config, ["zh", "sw"])
        assert translator is not None and nllb_dir.name in translator.describe()
        made = translator.translate(tiny, texts, language, SilentProgress(), cost)
        parts = {
            s: one_at_a_time(nllb_dir, s, language.nllb, beams, 12)
            for s in ("One two.", "Three four!", "six, seven", "eight nine", "ten", "a" * 30, "five six")
        }
        wanted = {
            texts[0]: [parts["One two."], space, parts["Three four!"]],
            texts[1]: [parts["six, seven"]],
            texts[2]: ["- ", parts["eight nine"], "\n\n1. ", parts["ten"]],
            texts[3]: [parts["a" * 30]],
            texts[4]: ["12 + 3"],
            texts[5]: ["```\nprint x\n```\n", parts["five six"]],
        }
        for text, one in zip(texts, made, strict=True):
            pieces = wanted[text]
            if None in pieces:
                assert (one.state, one.text) == ("cut", "")
            elif "" in pieces[:1]:
                assert one.state == "empty"
            else:
                assert (one.state, one.text) == ("ok", "".join(map(str, pieces)))
        assert {one.state for one in made} >= {"ok"} and cost.texts == 6 and cost.cached_texts == 0
        assert cost.generated_tokens == sum(one.tokens for one in made) > 0
        again = StageCost()
        assert translator.translate(tiny, texts, language, SilentProgress(), again) == made
        assert again.cached_texts == 6 and again.cached_seconds == pytest.approx(sum(one.seconds for one in made))


def test_texts_are_split_and_nothing_is_lost() -> None:
    text = "# Title\nFirst sentence. Second one?  Third!\n\n* item one. More\n2) two\n```py\nx = 'a. b'\n```\n---\n v1.5 is out."
    pieces = split_text(text)
    assert "".join(p.text for p in pieces) == text.replace("?  Third", "? Third")
    assert [p.text for p in pieces if p.translated] == [
        "Title",
        "First sentence.",
        "Second one?",
        "Third!",
        "item one.",
        "More",
        "two",
        "v1.5 is out.",
    ]


def test_a_translator_model_that_is_not_there(tmp_path: Path, nllb_dir: Path) -> None:
    def find(**changes: Any) -> None:
        make_translator(SdrrlConfig.model_validate({"translator": "nllb", **changes}), ["zh"])

    with pytest.raises(UnavailableError, match=r"translator facebook/nllb-200-distilled-600M is not available") as caught:
        find()
    assert "self, file, openai, none" in str(caught.value)
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_text("{}")
    with pytest.raises(UnavailableError, match=r"holds no \.safetensors"):
        find(translator_model=str(tmp_path / "pickled"))
    with pytest.raises(UsageError, match=r"knows no Japanese: it has no token jpn_Jpan"):
        make_translator(SdrrlConfig(translator="nllb", translator_model=str(nllb_dir)), ["zh", "ja"])


def test_translations_from_files(tiny: LoadedBackbone, tmp_path: Path) -> None:
    (tmp_path / "t.zh.tsv").write_text("one\t一\ntwo\\nlines\\\\n\t二\\n行\n empty \t\n", encoding="utf-8")
    table = read_translations(tmp_path / "t.zh.tsv")
    assert [table.find(text).state for text in ("one", " one\n", "empty", "three")] == ["ok", "ok", "empty", "missing"]
    assert table.find("two\nlines\\n").text == "二\n行"
    rows = [{"source": "a\tb\n", "translation": " 甲 "}, {"source": "a\tb", "translation": "甲"}]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    assert read_translations(tmp_path / "t.jsonl").find("a\tb").text == "甲"
    config = SdrrlConfig(translator="file", translations=str(tmp_path / "t.{language}.tsv"))
    translator = make_translator(config, ["zh"])
    assert translator is not None
    progress, cost = SilentProgress(), StageCost()
    made = translator.translate(tiny, ["one", "three"], get_language("zh"), progress, cost)
    assert [one.state for one in made] == ["ok", "missing"] and cost.texts == 2
    (note,) = progress.notes
    assert "lacks 1 of 2 answers" in note
    listed = next((tmp_path / "cache").rglob("*.jsonl"))
    assert [json.loads(line) for line in listed.read_text().splitlines()] == [{"source": "three", "translation": ""}]
    with pytest.raises(RunError, match="no translation for any of the 1 answers") as caught:
        translator.translate(tiny, ["three"], get_language("zh"), progress, cost)
    assert str(listed) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.tsv", "one\t一\ntwo\n", "line 2: two columns .* found 1"),
        ("t.tsv", "one\t一\none\t二\n", "line 2: a second, different translation of 'one'"),
        ("t.tsv", "\n", "no translation in it"),
        ("t.jsonl", '{"source": "a", "translation": "b"}\n{"source": "a"}\n', "line 2: expected an object"),
        ("t.jsonl", '{"source": "a", "translation": null}\n', "line 1: expected an object .*must be text"),
        ("t.jsonl", "[1]\n", "line 1: expected an object"),
        ("t.jsonl", "nonsense\n", "line 1: expected an object"),
    ],
)
def test_wrong_files_name_the_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        make_translator(SdrrlConfig(translator="file", translations=str(tmp_path / name)), ["zh"])


def test_a_file_that_is_not_there_or_not_named() -> None:
    with pytest.raises(UsageError, match=r"translations: no file at /nowhere/t\.zh\.tsv"):
        make_translator(SdrrlConfig(translator="file", translations="/nowhere/t.{language}.tsv"), ["zh"])
    with pytest.raises(UsageError, match="translator=file needs a file"):
        chosen("zh", translator="file")


def test_a_server_translates(tiny: LoadedBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["first", "second", "third", "fourth"]

    def script(asked: Any) -> str:
        text = asked.body["messages"][-1]["content"]
        assert "from English into Swahili" in text
        if "second" in text:
            return "429" if asked.nth == 0 else "ok"
        return "empty" if "third" in text else "ok"

    with JudgeServer(script) as server:
        config = SdrrlConfig(translator="openai", judge="local", translator_model="m", base_url=server.url)
        translator, cost = make_translator(config, ["sw"]), StageCost()
        assert translator is not None and translator.describe() == f"m at {server.url}"
        made = translator.translate(tiny, texts, get_language("sw"), SilentProgress(), cost)
        assert [one.state for one in made] == ["ok", "ok", "empty", "ok"]
        replies = {a.body["messages"][-1]["content"]: a for a in server.completed}
        written = sum(a.usage["completion_tokens"] for text, a in replies.items() if "third" not in text and a.usage)
        assert cost.server_tokens == written and (cost.texts, cost.cached_texts, cost.usd) == (4, 0, None)
        before = len(server.asked)
        again = StageCost()
        assert translator.translate(tiny, texts, get_language("sw"), SilentProgress(), again) == made
        assert len(server.asked) == before + 1, "only what could not be used is asked again"
        assert again.cached_texts == 3 and again.server_tokens == written
    with pytest.raises((RunError, UnavailableError), match=r"not translated into Swahili|no judge can be reached"):
        translator.translate(tiny, ["fifth"], get_language("sw"), SilentProgress(), StageCost())


def test_a_server_without_a_key_is_known_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UnavailableError, match="needs a key in the environment variable OPENAI_API_KEY"):
        chosen("zh", translator="openai")
    with pytest.raises(UsageError, match="unknown judge 'gpt-4oo'"):
        chosen("zh", translator="openai", judge="gpt-4oo")


def test_a_server_out_of_reach_is_one_error_in_words(tiny: LoadedBackbone) -> None:
    with JudgeServer() as server:
        gone = server.url
    config = SdrrlConfig(translator="openai", judge="local", translator_model="m", base_url=gone)
    translator = make_translator(config, ["sw"])
    assert translator is not None
    with pytest.raises(UnavailableError, match="no judge can be reached"):
        translator.translate(tiny, ["a", "b", "c"], get_language("sw"), SilentProgress(), StageCost())
