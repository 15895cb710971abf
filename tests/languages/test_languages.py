"""The language table: every code finds its way to every data set's code and back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz_yaml import forget_languages

from lensbench.datasets.rows import rows_specs
from lensbench.errors import UsageError
from lensbench.languages import add_languages, get_language, language_named, language_of, languages, parse_languages

ROOT = Path(__file__).parents[2]

PAPER = {  # Table of codes: canonical, XWinograd, MMMLU split, GlotLID strict, NLLB-200
    "en": ("en", None, "eng_Latn", "eng_Latn"),
    "zh": ("zh", "ZH_CN", "cmn_Hani", "zho_Hans"),
    "ja": ("jp", "JA_JP", "jpn_Jpan", "jpn_Jpan"),
    "ko": (None, "KO_KR", "kor_Hang", "kor_Hang"),
    "ar": (None, "AR_XY", "arb_Arab", "arb_Arab"),
    "bn": (None, "BN_BD", "ben_Beng", "ben_Beng"),
    "sw": (None, "SW_KE", "swh_Latn", "swh_Latn"),
}


@pytest.mark.parametrize("code", PAPER)
def test_codes_of_the_paper(code: str) -> None:
    language = get_language(code)
    assert (language.code_in("xwinograd"), language.code_in("mmmlu"), language.glotlid, language.nllb) == PAPER[code]


def test_all_named_languages_are_there() -> None:
    assert set(languages()) >= {
        "en",
        "zh",
        "ja",
        "ko",
        "ar",
        "bn",
        "sw",
        "th",
        "vi",
        "id",
        "it",
        "tr",
        "es",
        "hi",
        "te",
        "et",
        "ht",
        "qu",
        "ta",
        "fr",
        "ru",
        "pt",
        "de",
    }


def test_every_code_round_trips() -> None:
    pairs = 0
    for language in languages().values():
        for dataset, codes in language.codes.items():
            for code in codes if isinstance(codes, tuple) else (codes,):
                assert language_of(dataset, code) is language
                pairs += 1
    assert pairs >= 140


def test_every_data_set_of_the_table_has_rows_or_is_an_import() -> None:
    known = {spec.codes or name for name, spec in rows_specs().items()} | {"copa"}
    assert {dataset for x in languages().values() for dataset in x.codes} <= known


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("jp", "'ja'"), ("swh", "'sw'"), ("Chinese", "'zh'"), ("cmn_Hani", "'zh'"), ("Chinse", "zh"), ("zg", "zh")],
)
def test_a_wrong_code_names_the_right_one(wrong: str, right: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_language(wrong)
    assert right in str(caught.value)


def test_parse_languages() -> None:
    assert parse_languages("zh, ja,zh,en") == ("zh", "ja")
    with pytest.raises(UsageError):
        parse_languages(" , ")


@pytest.mark.real
def test_glotlid_labels_exist(real_data: Path) -> None:
    supported = set(
        re.findall(r"[a-z]{3}_[A-Z][a-z]{3}", (real_data / "glotlid" / "languages-v3.md").read_text(encoding="utf-8"))
    )
    missing = [x.glotlid for x in languages().values() if x.glotlid not in supported]
    assert not missing


@pytest.fixture
def own_languages(tmp_path: Path) -> Iterator[Path]:
    """A folder with a language file; the table is as before afterwards."""
    (tmp_path / "languages.yaml").write_text(
        "hu: {name: Hungarian, native: Magyar, script: Latn, iso3: hun}\nsw: {codes: {mine: swa_TZ}}\n", encoding="utf-8"
    )
    yield tmp_path
    forget_languages()


def test_a_language_is_added_from_outside_the_package(own_languages: Path) -> None:
    with pytest.raises(UsageError, match="unknown language 'hu'") as caught:
        get_language("hu")
    assert "languages.yaml" in str(caught.value.hint) and "Did you mean" not in str(caught.value.hint)
    add_languages([own_languages])
    hungarian = get_language("hu")
    assert (hungarian.glotlid, hungarian.nllb, hungarian.lid176, hungarian.accepts) == ("hun_Latn", "hun_Latn", ("hu",), ("hun",))
    assert get_language("sw").codes["mine"] == "swa_TZ" and get_language("sw").code_in("xcopa") == "sw"
    for theirs in ("Magyar", "hun", "Hungarian"):
        with pytest.raises(UsageError) as caught:
            get_language(theirs)
        assert "Hungarian is 'hu' here" in str(caught.value.hint)


def test_a_language_of_the_users_is_asked(own_languages: Path, cli: Callable[..., Any]) -> None:
    rows = own_languages / "data" / "xcopa" / "hu"
    rows.mkdir(parents=True)
    (own_languages / "languages.yaml").rename(own_languages / "data" / "languages.yaml")
    row = {"premise": "Esik.", "choice1": "Vizes.", "choice2": "Száraz.", "question": "effect", "label": 0, "idx": 1}
    lines = [json.dumps({**row, "premise": f"Esik {i}.", "idx": i}) for i in range(4)]
    (rows / "test.jsonl").write_text("\n".join(lines), encoding="utf-8")
    task = (ROOT / "tasks" / "xcopa.lens-paper.yaml").read_text(encoding="utf-8").replace("task: xcopa", "task: hu_copa")
    (own_languages / "hu_copa.yaml").write_text(task.partition("languages:")[0] + "languages:\n  hu: {}\n", encoding="utf-8")
    place = ("--include-path", own_languages, "--data", own_languages / "data")
    done = cli(
        "run", "--backbone", "smollm2-135m", "--tasks", "hu_copa", "--languages", "hu", "--no-english", *place, "--dry-run"
    )
    assert done.returncode == 0, done.stderr
    assert "languages hu\n" in done.stdout
    checked = cli("tasks", "validate", own_languages / "hu_copa.yaml", "--data", own_languages / "data")
    assert checked.returncode == 0 and "rendered in hu" in checked.stdout, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("hu: 3", "expected what describes 'hu'"),
        ("hu: {name: Hungarian}", "line 1: script"),
        ("../x: {name: X, script: Latn, iso3: xxx}", "is not a language code"),
        ("hu: {name: Hungarian, script: Latn, iso3: hun, codes: {aya: ../../x}}", "cannot be the name of a folder"),
        ("hu: {name: Hungarian, script: Latn, iso3: hun, nativ: x}", "did you mean 'native'?"),
    ],
)
def test_a_wrong_language_file_says_where(line: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "languages.yaml").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(str(tmp_path / "languages.yaml"))) as caught:
        add_languages([tmp_path])
    assert says in str(caught.value)
    assert "hu" not in languages()


@pytest.mark.parametrize("code", ["hu", "pl", "uk", "nl", "hun", "ces"])
def test_another_language_is_no_slip_of_the_finger(code: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_language(code)
    assert "Did you mean" not in str(caught.value)


def test_the_tables_names_of_releases() -> None:
    ntrex = {code: get_language(code).code_in("ntrex") for code in ("fr", "ru", "ta", "et", "de", "pt")}
    assert ntrex == {"fr": "fra", "ru": "rus", "ta": "tam", "et": "est", "de": "deu", "pt": "por"}
    found = language_named("Deutsch")
    assert found is not None and found.code == "de"
