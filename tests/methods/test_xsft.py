"""xSFT: which rows are chosen, what is counted and refused, and a fit from the embedded set and from real rows with answers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lensbench.backbones.load import LoadedBackbone
from lensbench.datasets.importing import import_folder
from lensbench.datasets.rows import RowsSpec
from lensbench.datasets.sources import DataSource, Origin, Rows, open_data
from lensbench.errors import DataError, UnavailableError, UsageError
from lensbench.languages import Language
from lensbench.methods import config_model, load_method
from lensbench.methods.base import SilentProgress
from lensbench.methods.corpora.probing import load_corpora
from lensbench.methods.xsft import XsftConfig, XsftFullConfig


class Made:
    """A source with given rows: (rows, language) -> list."""

    def __init__(self, tables: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
        self.tables = tables
        self.revisions: list[str | None] = []

    def describe(self) -> str:
        return "made rows"

    def has(self, spec: RowsSpec, language: Language, split: str) -> bool:
        return (spec.rows, language.code) in self.tables and split == "train"

    def load(self, spec: RowsSpec, language: Language, split: str, revision: str | None = None) -> Rows:
        self.revisions.append(revision)
        if not self.has(spec, language, split):
            raise UnavailableError(f"made rows have no {spec.rows} rows in {language.name}")
        rows = self.tables[spec.rows, language.code]
        return Rows(rows, Origin("local", "made", None, "0", len(rows), None))


def aya(code: str, n: int, **changes: str) -> list[dict[str, Any]]:
    return [{"inputs": f"{code} question {i}", "targets": f"{code} answer {i}", "language": "x", **changes} for i in range(n)]


def bactrian(code: str, n: int) -> list[dict[str, Any]]:
    return [
        {"id": f"alpaca-{i}", "instruction": f" {code} do {i}\n", "input": "this" if i % 2 else "", "output": f"{code} done {i}"}
        for i in range(n)
    ]


def made(*codes: str, n: int = 40) -> Made:
    return Made({("aya", c): aya(c, n) for c in codes} | {("bactrian_x", c): bactrian(c, n) for c in codes})


def choose(method: str, source: DataSource, languages: tuple[str, ...], **changes: object) -> Any:
    model, _ = config_model(method)
    return load_method(method).corpora(source, languages, model.model_validate(changes))


def test_the_pools_of_the_paper() -> None:
    """300 of Aya in each language and 200 of Bactrian-X in each target: 800 with one target, 3,300 with six."""
    data = choose("xsft", made("en", "zh", n=350), ("en", "zh"))
    assert {pool: counts["given"] for pool, counts in data.counts().items()} == {
        "aya/en": 300,
        "aya/zh": 300,
        "bactrian_x/zh": 200,
    }
    codes = ("en", "zh", "ja", "ko", "ar", "bn", "sw")
    assert len(choose("xsft", made(*codes, n=350), codes).examples) == 3300
    assert set(data.origins) == {"aya/en", "aya/zh", "bactrian_x/zh"}
    assert set(data.texts()) == {text for e in data.examples for text in (e.question, e.answer)}
    assert all(e.answer.startswith(e.pool.partition("/")[2]) for e in data.examples), "each in its own language"
    questions = {e.question for e in data.examples if e.pool == "bactrian_x/zh"}
    assert questions <= {f"zh do {i}" + ("\nthis" if i % 2 else "") for i in range(350)}


def test_the_full_variant_takes_all_of_the_target_and_nothing_central() -> None:
    data = choose("xsft-full", made("zh"), ("en", "zh"))
    assert {pool: counts["given"] for pool, counts in data.counts().items()} == {"aya/zh": 40, "bactrian_x/zh": 40}


def test_the_rows_are_those_lens_learns_from() -> None:
    source = made("en", "zh", n=60)
    mine = choose("xsft", source, ("en", "zh"), n_aya=30, n_bactrian=20)
    theirs = load_corpora(source, ("en", "zh"), n_probe=30, n_parallel=20, seed=42)
    assert {e.question + e.answer for e in mine.pools["aya/zh"].examples} == set(theirs.probing["zh"])
    assert {e.question for e in mine.pools["bactrian_x/zh"].examples} == {p.text["zh"] for p in theirs.parallel}


def test_rows_without_an_answer_are_left_out_and_counted() -> None:
    source = made("en", "zh", n=10)
    rows = source.tables["bactrian_x", "zh"]
    rows[0]["output"], rows[1]["output"] = "", " \n"
    del rows[2]["output"]
    source.tables["aya", "zh"] += aya("zh", 5, language="Traditional Chinese") + aya("zh", 1, targets="")
    data = choose("xsft", source, ("en", "zh"), n_aya=10, n_bactrian=7)
    assert data.counts()["bactrian_x/zh"] == {"rows": 10, "without_answer": 3, "chosen": 7, "given": 7}
    assert data.counts()["aya/zh"] == {"rows": 11, "without_answer": 1, "chosen": 10, "given": 10}
    with pytest.raises(DataError, match=r"8 rows of bactrian_x with an answer in Chinese .* made has 7: 3 of its 10") as caught:
        choose("xsft", source, ("en", "zh"), n_aya=10, n_bactrian=8)
    assert "n_bactrian=7" in str(caught.value)


def test_n_total_and_the_switches() -> None:
    source = made("en", "zh", n=10)
    data = choose("xsft", source, ("en", "zh"), n_aya=10, n_bactrian=5, n_total=12)
    assert len(data.examples) == 12 and sum(c["given"] for c in data.counts().values()) == 12
    assert set(choose("xsft", source, ("en", "zh"), n_aya=0, n_bactrian=10, batch_size=2, micro_batch=1).pools) == {
        "bactrian_x/zh"
    }
    with pytest.raises(DataError, match=r"n_total=26 rows were requested, 25 were chosen \(10 in aya/en, 10 in aya/zh, 5 in"):
        choose("xsft", source, ("en", "zh"), n_aya=10, n_bactrian=5, n_total=26)
    with pytest.raises(UsageError, match="both 0"):
        choose("xsft", source, ("en", "zh"), n_aya=0, n_bactrian=0)
    with pytest.raises(UsageError, match="nothing would be trained"):
        choose("xsft", source, ("en", "zh"), n_aya=2, n_bactrian=2)
    with pytest.raises(UnavailableError, match="Swahili"):
        choose("xsft-full", source, ("en", "sw"))


def test_a_resumed_run_reads_the_same_commits() -> None:
    source = made("en", "zh")
    load_method("xsft").corpora(source, ("en", "zh"), XsftConfig(n_aya=9, n_bactrian=9), {"aya": "a" * 40})
    assert source.revisions == ["a" * 40, "a" * 40, None]


def test_the_embedded_set_has_no_bactrian_answers() -> None:
    with pytest.raises(DataError, match=r"bactrian_x with an answer in Chinese .* has 0: 96 of its 96 have none"):
        choose("xsft", open_data("embedded"), ("en", "zh"), n_aya=48)


@pytest.mark.parametrize("method", ["xsft", "xsft-full"])
def test_the_small_preset_runs_on_the_embedded_set(tiny: LoadedBackbone, method: str) -> None:
    model, presets = config_model(method)
    config = model.model_validate({"preset": "small", **presets["small"], "max_length": 512})
    made_by = load_method(method)
    data = made_by.corpora(open_data("embedded"), ("en", "zh"), config)
    delta = made_by.fit(tiny, data, config, SilentProgress())
    card = delta.card
    assert delta.method == method and card["items"] == {"realised": len(data.examples), "paper": card["items"]["paper"]}
    assert card["items"]["paper"] == (800 if method == "xsft" else 111_500)
    assert card["languages"] == ["en", "zh"] and card["data"]
    assert sum(c["used"] + c["too_long"] for c in card["pools"].values()) == len(data.examples)
    assert card["cost"]["steps"] == -(-card["cost"]["training_items"] // 8)


def test_real_rows_with_and_without_answers(real_data: Path, tiny: LoadedBackbone, tmp_path: Path) -> None:
    """The authors' files have no answers and say so; the Alpaca demonstration rows have them."""
    originals = tmp_path / "originals"
    for name in ("alpaca_demo", "lens"):
        shutil.copytree(real_data / name, originals / name)
    import_folder(originals, tmp_path / "data")
    source = open_data(str(tmp_path / "data"))
    with pytest.raises(DataError, match=r"300 rows of aya with an answer in English .* has 0: 240 of its 240 have none"):
        choose("xsft", source, ("en", "zh"))
    with pytest.raises(DataError, match=r"200 rows of bactrian_x with an answer in Chinese .* has 0: 80 of its 80 have none"):
        choose("xsft", source, ("en", "zh"), n_aya=0)
    config = XsftConfig(n_aya=0, n_bactrian=16, bactrian_split="alpaca_demo", max_length=512, micro_batch=4)
    method = load_method("xsft")
    data = method.corpora(source, ("en", "zh"), config)
    assert data.pools["bactrian_x/zh"].rows == 400
    card = method.fit(tiny, data, config, SilentProgress()).card
    counts = card["pools"]["bactrian_x/zh"]
    assert counts["chosen"] == 16 == counts["used"] + counts["too_long"] and counts["truncated"] > 0


@pytest.mark.parametrize("method", ["xsft", "xsft-full"])
def test_a_mistyped_key_names_the_nearest(cli: Any, tiny_model_dir: Path, method: str) -> None:
    words = ("run", "--backbone", tiny_model_dir, "--languages", "zh", "--tasks", "xcopa", "--data", "embedded", "--dry-run")
    refused = cli(*words, "--method", method, "--set", "learning_rat=1")
    assert refused.returncode == 2 and "learning_rate" in refused.stderr and "Traceback" not in refused.stderr


def test_defaults_are_the_papers() -> None:
    config = XsftConfig()
    assert (config.learning_rate, config.epochs, config.warmup_ratio, config.batch_size) == (1e-5, 1, 0.05, 8)
    assert (config.max_length, config.weight_decay, config.seed) == (1024, 0, 42)
    full = XsftFullConfig()
    assert (full.n_aya, full.n_bactrian, full.n_total, full.lora_rank) == (None, None, None, None)
