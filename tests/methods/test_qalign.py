"""QAlign: pairs by id, what is left out, both layouts token by token, and a fit on the embedded set."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sdrrl_help import Made

from lensbench.backbones.load import LoadedBackbone
from lensbench.datasets.importing import import_folder
from lensbench.datasets.sources import open_data
from lensbench.errors import DataError, UnavailableError, UsageError
from lensbench.methods import config_model, load_method
from lensbench.methods.base import SilentProgress
from lensbench.methods.qalign import QalignConfig
from lensbench.methods.qalign.corpora import QalignCorpora, load_qalign, shares
from lensbench.methods.qalign.prompts import qalign_layout, translation_request
from lensbench.methods.sft.encode import IGNORED, encode


def made(**tables: list[tuple[str, str]]) -> Made:
    return Made({code: dict(rows) for code, rows in tables.items()})


def questions(code: str, n: int) -> list[tuple[str, str]]:
    return [(f"alpaca-{i}", f"{code} question {i}") for i in range(n)]


def pairs(source: Made, *targets: str, **changes: object) -> QalignCorpora:
    config = QalignConfig.model_validate({"batch_size": 2, "micro_batch": 1, **changes})
    return load_qalign(source, ("en", *targets), config)


def test_pairs_are_split_evenly_and_go_into_english() -> None:
    assert shares(800, 6) == [134, 134, 133, 133, 133, 133] and shares(800, 1) == [800]
    source = made(en=questions("en", 50), zh=questions("zh", 50)[::-1], sw=questions("sw", 50))
    data = pairs(source, "zh", "sw", n_pairs=25)
    assert {pool: c["chosen"] for pool, c in data.counts.items()} == {"bactrian_x/zh": 13, "bactrian_x/sw": 12}
    for example in data.examples:
        code, name = ("zh", "Chinese") if example.pool.endswith("zh") else ("sw", "Swahili")
        number = example.answer.removeprefix("en question ")
        assert example.question == f"Translate the following question from {name} to English. {code} question {number}"
    assert set(data.texts()) == {text for e in data.examples for text in (e.question, e.answer)}
    assert set(data.origins) == {"bactrian_x/en", "bactrian_x/zh", "bactrian_x/sw"}


def test_equal_pairs_are_dropped_and_counted() -> None:
    zh = [("alpaca-0", "en question 0"), ("alpaca-1", " en question 1 "), *questions("zh", 8)[2:], ("dolly-1", "独自")]
    data = pairs(made(en=questions("en", 9), zh=zh), "zh", n_pairs=None)
    assert data.counts["bactrian_x/zh"] == {"pairs": 8, "equal": 2, "chosen": 6}
    with pytest.raises(DataError, match=r"7 pairs of questions in Chinese and English .* made has 6: 8 ids .* 2 of them"):
        pairs(made(en=questions("en", 9), zh=zh), "zh", n_pairs=7)


def test_a_language_without_parallel_rows_is_named(real_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"parallel texts are needed in Swahili \('sw'\)"):
        pairs(made(en=questions("en", 9), zh=questions("zh", 9)), "zh", "sw", n_pairs=8)
    for name in ("alpaca_demo", "lens"):
        shutil.copytree(real_data / name, tmp_path / "originals" / name)
    import_folder(tmp_path / "originals", tmp_path / "data")
    source: Any = open_data(str(tmp_path / "data"))
    # The demonstration rows of the two languages are not translations of each other: no id is in both.
    with pytest.raises(DataError, match=r"Chinese and English .* has 0: 0 ids are in both"):
        pairs(source, "zh", n_pairs=8, bactrian_split="alpaca_demo")
    data = pairs(source, "zh", "sw", n_pairs=100)
    assert [c["chosen"] for c in data.counts.values()] == [50, 50]


def test_what_can_be_checked_is_checked_first() -> None:
    source = made(en=questions("en", 9), zh=questions("zh", 9))
    with pytest.raises(UsageError, match="nothing would be trained"):
        pairs(source, "zh", n_pairs=2, epochs=1)
    with pytest.raises(UsageError, match="less than one pair"):
        QalignConfig(n_pairs=1).check(["zh", "sw"])
    config = QalignConfig()
    assert (config.learning_rate, config.epochs, config.warmup_ratio, config.batch_size) == (2e-5, 3, 0.03, 8)
    assert (config.n_pairs, config.max_length, config.template) == (800, 512, "chat")


@pytest.mark.parametrize("template", ["chat", "alpaca"])
def test_loss_is_on_the_translation_and_its_end(tiny: LoadedBackbone, template: str) -> None:
    layout = qalign_layout(tiny.tokenizer, template, None)
    request = translation_request("猫是什么？", "zh", "en")
    row = encode(tiny.tokenizer, layout.prompt(request), "What is a cat?", layout.end, 512)
    assert row is not None
    learned = tiny.tokenizer.decode([t for t, label in zip(row.ids, row.labels, strict=True) if label != IGNORED])
    text = tiny.tokenizer.decode(row.ids)
    if template == "chat":
        assert learned == "What is a cat?<end>"
        assert text == f"<s><user>{request}<end><assistant>\nWhat is a cat?<end>"
    else:
        assert learned == "What is a cat?</s>"
        assert text.endswith(f"### Instruction:\n{request}\n\n### Response:What is a cat?</s>")


def test_the_alpaca_layout_needs_an_end_of_sequence(tiny: LoadedBackbone) -> None:
    tiny.tokenizer.eos_token = None
    with pytest.raises(UsageError, match="no end-of-sequence token"):
        qalign_layout(tiny.tokenizer, "alpaca", None)


@pytest.mark.parametrize("template", ["chat", "alpaca"])
def test_a_fit_on_the_embedded_set(tiny: LoadedBackbone, template: str, tmp_path: Path) -> None:
    model, presets = config_model("qalign")
    config = model.model_validate({"preset": "small", **presets["small"], "max_length": 300, "template": template, "epochs": 1})
    method = load_method("qalign")
    data = method.corpora(open_data("embedded"), ("en", "zh", "ja"), config)
    delta: Any = method.fit(tiny, data, config, SilentProgress())
    counts = delta.card["pools"]["bactrian_x/zh"]
    assert counts["pairs"] == 96 and counts["chosen"] == 32 == counts["used"] + counts["too_long"]
    assert counts["too_long"] > 0 and counts["truncated"] == 0, "too long pairs are left out whole"
    assert delta.card["items"] == {"realised": 64, "paper": None}
    delta.save(tmp_path / "qalign")
    assert method.load(tmp_path / "qalign", tiny.checkpoint.digest).digest == delta.digest


def test_a_mistyped_key_names_the_nearest(cli: Any, tiny_model_dir: Path) -> None:
    words = ("run", "--backbone", tiny_model_dir, "--languages", "zh", "--tasks", "xcopa", "--data", "embedded", "--dry-run")
    refused = cli(*words, "--method", "qalign", "--set", "npairs=1")
    assert refused.returncode == 2 and "n_pairs" in refused.stderr and "Traceback" not in refused.stderr
