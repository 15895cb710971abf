"""Importing original release files: the corpora methods learn from, and parallel text."""

from __future__ import annotations

import json

import pytest
from importing_help import entry, jsonl, read, rows_of, write

from lensbench.datasets.importing import import_folder
from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import Folder
from lensbench.errors import DataError
from lensbench.languages import get_language


def test_lens_probing_sample(tmp_path):
    write(tmp_path / "in/test.jsonl", jsonl({"en": "A", "ja": "あ"}, {"en": "A", "ja": "い "}))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert read(tmp_path / "out/aya/jpn/train.parquet") == [
        {"inputs": "あ", "targets": "", "language": "Japanese", "language_code": "jpn"},
        {"inputs": "い ", "targets": "", "language": "Japanese", "language_code": "jpn"},
    ]
    assert entry(report, "aya/eng/train.parquet").notes[1] == "1 of 2 texts repeat an earlier one; kept"
    assert len(entry(report, "aya/jpn/train.parquet").notes) == 1


def test_lens_probing_line_without_a_language(tmp_path):
    write(tmp_path / "in/test.jsonl", jsonl({"en": "A", "ja": "あ"}, {"en": "A"}))
    with pytest.raises(DataError, match=r"test\.jsonl, line 2: column 'ja' is missing"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)


def test_aya_rows_are_sorted_into_languages(tmp_path):
    records = [
        {"inputs": "Habari?", "targets": "Njema", "language": "Swahili", "language_code": "swh", "user_id": "u"},
        {"inputs": "Jambo", "targets": "", "language": "Swahili", "language_code": "swa", "user_id": "u"},
        {"inputs": "?", "targets": "", "language": "Klingon", "language_code": "tlh", "user_id": "u"},
    ]
    write(tmp_path / "in/aya.jsonl", jsonl(*records))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    rows = read(tmp_path / "out/aya/swa/train.parquet")
    assert [(row["inputs"], row["targets"], row["language_code"]) for row in rows] == [
        ("Habari?", "Njema", "swh"),
        ("Jambo", "", "swa"),
    ]
    assert report.notes == ("aya.jsonl: 1 rows left out, in 1 codes the language table does not have",)


def test_lens_manipulation_sample_is_parallel_by_id(tmp_path):
    instances = [{"input_en": "One", "output": "", "input_zh": "一\n"}, {"input_en": "Two", "output": "", "input_zh": "二"}]
    data = {"Definition": [""], "Positive Examples": [], "Negative Examples": [], "Instances": instances}
    write(tmp_path / "in/train.json", json.dumps(data, indent=4))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert read(tmp_path / "out/bactrian_x/zh/train.parquet") == [
        {"instruction": "一", "input": "", "id": "lens-pull-1", "output": ""},
        {"instruction": "二", "input": "", "id": "lens-pull-2", "output": ""},
    ]
    assert [row["id"] for row in read(tmp_path / "out/bactrian_x/en/train.parquet")] == ["lens-pull-1", "lens-pull-2"]
    assert (
        "1 of 2 prompts began or ended in white space, which was stripped" in entry(report, "bactrian_x/zh/train.parquet").notes
    )


def test_lens_manipulation_instance_without_a_language(tmp_path):
    data = {"Instances": [{"input_en": "One", "input_zh": "一"}, {"input_en": "Two"}]}
    write(tmp_path / "in/train.json", json.dumps(data, indent=4))
    with pytest.raises(DataError, match=r"train\.json, instance 2: column 'input_zh' is missing"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)


def test_bactrian_rows(tmp_path):
    row = {"instruction": "做", "input": "", "id": "alpaca-7", "output": "好"}
    write(tmp_path / "in/zh.jsonl", jsonl(row))
    write(tmp_path / "in/rows.jsonl", jsonl(row))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert read(tmp_path / "out/bactrian_x/zh/train.parquet") == [row]
    assert "no Bactrian-X code 'rows'" in report.skipped[0].reason


def test_alpaca_demo_never_aligns(tmp_path):
    for code in ("en", "zh"):
        write(tmp_path / f"in/alpaca_{code}_demo.json", json.dumps([{"instruction": "I", "input": "", "output": "O"}]))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    ids = {file.language: read(tmp_path / "out" / file.path)[0]["id"] for file in report.files}
    assert ids == {"en": "alpaca-en-1", "zh": "alpaca-zh-1"}
    assert {file.split for file in report.files} == {"alpaca_demo"}
    assert all(file.stand_in for file in report.files)


def test_multiq_takes_our_code_of_a_language(tmp_path):
    body = "id,language,prompt,domain\ng1,zh,问一,food\ng1,zh-CN,问一,food\ng1,ts,Q,food\n"
    write(tmp_path / "in/MultiQ.csv", body)
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert read(tmp_path / "out/multiq/zh/train.parquet") == [{"id": "g1", "language": "zh", "prompt": "问一", "domain": "food"}]
    assert report.notes[0].startswith("MultiQ.csv: 2 rows left out, in 2 codes")


def test_multiq_missing_column(tmp_path):
    write(tmp_path / "in/MultiQ.csv", "id,language,domain\ng1,zh,food\n")
    with pytest.raises(DataError, match=r"MultiQ\.csv, line 1: missing column 'prompt'"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)


def test_ntrex_lines_end_at_line_feeds_only(tmp_path):
    write(tmp_path / "in/newstest2019-ref.zho-CN.txt", "一\u2028二\r\n三\r\n")
    write(tmp_path / "in/newstest2019-ref.afr.txt", "a\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert read(tmp_path / "out/ntrex/zho-CN/test.parquet") == [{"id": "1", "text": "一\u2028二"}, {"id": "2", "text": "三"}]
    assert "'afr'" in report.skipped[0].reason
    assert len(Folder(tmp_path / "out").load(load_rows_spec("ntrex"), get_language("zh"), "test")) == 2


def test_ntrex_empty_line(tmp_path):
    write(tmp_path / "in/newstest2019-src.eng.txt", "a\n\nb\n")
    with pytest.raises(DataError, match=r"eng\.txt, line 2: empty"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)


def test_mgsm_numbers(tmp_path):
    write(tmp_path / "in/mgsm_sw.tsv", "Ngapi?\t2,125\nNgapi tena?\t-3\n")
    assert rows_of(tmp_path, "mgsm/sw/test.parquet") == [
        {"id": "1", "question": "Ngapi?", "answer": 2125},
        {"id": "2", "question": "Ngapi tena?", "answer": -3},
    ]


@pytest.mark.parametrize("number", ["", "1.5", "12,34", "x", "9" * 30])
def test_mgsm_wrong_numbers(tmp_path, number):
    write(tmp_path / "in/mgsm_sw.tsv", f"Ngapi?\t1\nNgapi?\t{number}\n")
    with pytest.raises(DataError, match=r"mgsm_sw\.tsv, line 2, column 'answer': expected a whole number"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)
