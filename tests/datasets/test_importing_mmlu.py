"""Importing original release files: MMLU and its kin."""

from __future__ import annotations

import pytest
from importing_help import entry, jsonl, mmlu_row, read, rows_of, write

from lensbench.datasets.importing import import_folder
from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import Folder
from lensbench.errors import DataError
from lensbench.languages import get_language

EN_HEADER = "question,choice0,choice1,choice2,choice3,answer\n"


def test_mmlu_english_pools_subjects_and_turns_indices_into_letters(tmp_path):
    write(tmp_path / "in/mmlu_en/test/zoology_test.csv", EN_HEADER + "Q3,a,b,c,d,3\n")
    # A quoted cell over two lines, with a rarer Unicode line break in it.
    write(tmp_path / "in/mmlu_en/test/anatomy_test.csv", EN_HEADER + '"Q1\nmore\u2028still","a, b",b,c,d,0\nQ2,a,b,c,d,2\n')
    assert rows_of(tmp_path, "m_mmlu/en/test.parquet") == [
        mmlu_row("anatomy/test/1", "Q1\nmore\u2028still", "a, b|b|c|d", "A"),
        mmlu_row("anatomy/test/2", "Q2", "a|b|c|d", "C"),
        mmlu_row("zoology/test/1", "Q3", "a|b|c|d", "D"),
    ]


def test_mmlu_dev_becomes_val(tmp_path):
    write(tmp_path / "in/anatomy_dev.csv", EN_HEADER + "Q1,a,b,c,d,1\n")
    assert rows_of(tmp_path, "m_mmlu/en/val.parquet")[0]["id"] == "anatomy/val/1"


def test_mmlu_of_unknown_split_is_skipped(tmp_path):
    write(tmp_path / "in/anatomy.csv", EN_HEADER + "Q1,a,b,c,d,1\n")
    assert "neither" in import_folder(tmp_path / "in", tmp_path / "out").skipped[0].reason


def test_mmlu_arabic(tmp_path):
    write(tmp_path / "in/test/anatomy_test.csv", "ما هذا؟,ا,ب,ج,د,B\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    found = entry(report, "m_mmlu/ar/test.parquet")
    assert found.stand_in == "AceGPT's machine translation of MMLU, not M-MMLU's"
    assert read(tmp_path / "out/m_mmlu/ar/test.parquet")[0]["answer"] == "B"


def test_jmmlu_byte_order_mark_before_a_quote(tmp_path):
    write(tmp_path / "in/jmmlu/anatomy.csv", b"\xef\xbb\xbf" + '"これは、\n何か",あ,い,う,え,D\r\n'.encode())
    rows = rows_of(tmp_path, "m_mmlu/ja/test.parquet")
    assert rows == [mmlu_row("anatomy/test/1", "これは、\n何か", "あ|い|う|え", "D")]
    loaded = Folder(tmp_path / "out").load(load_rows_spec("m_mmlu"), get_language("ja"), "test")
    assert loaded.origin.stand_in is not None and loaded.origin.stand_in.startswith("JMMLU")


def test_cmmlu(tmp_path):
    write(tmp_path / "in/cmmlu/dev/agronomy.csv", ",Question,A,B,C,D,Answer\n0,问题,一,二,三,四,C\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert entry(report, "m_mmlu/zh/val.parquet").stand_in == "CMMLU: Chinese exams, not a translation of MMLU"
    assert read(tmp_path / "out/m_mmlu/zh/val.parquet")[0]["option_d"] == "四"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mmlu_en/test/a.csv", EN_HEADER + "Q,a,b,c,d,4\n", r"a\.csv, line 2, column 'answer': label '4' is none of"),
        ("mmlu_en/test/a.csv", EN_HEADER + '"Q\nQ",a,b,c,d,1\nQ,a,b,c,1\n', r"a\.csv, line 4: expected 6 columns, found 5"),
        ("mmlu_en/test/a.csv", EN_HEADER + '"Q,a,b,c,d,1\n', r"a\.csv, line 2: not CSV"),
        ("mmlu_en/test/a.csv", EN_HEADER + " ,a,b,c,d,1\n", r"a\.csv, line 2, column 'question': empty text"),
        ("mmlu_en/test/a.csv", EN_HEADER, r"a\.csv: no rows"),
        ("mmlu_en/test/a.csv", "question,choice0,choice1,choice2,answer\n", r"a\.csv, line 1: expected 6 columns, found 5"),
        ("mmlu_en/test/a.csv", "question,choice0,choice1,choice2,choice4,answer\n", r"a\.csv, line 1: expected the header"),
        ("jmmlu/a.csv", "これ,あ,い,う,え,E\n", r"a\.csv, line 1, column 'answer': label 'E' is none of"),
        ("jmmlu/a.csv", "これ,あ,い,う,え,A\n".encode("shift_jis"), r"a\.csv, line 1: not UTF-8"),
        ("cmmlu/dev/a.csv", ",Question,A,B,C,D,Answer\n0,问题,一,二,三,C\n", r"a\.csv, line 2: expected 7 columns, found 6"),
    ],
)
def test_mmlu_errors(tmp_path, name, content, message):
    write(tmp_path / "in" / name, content)
    with pytest.raises(DataError, match=message):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)
    assert not list((tmp_path / "out").rglob("*.*"))


def exam(language: str, letters: str, answer: str = "A") -> dict:
    choices = [{"text": f"text {letter}", "label": letter} for letter in letters]
    return {"id": "x", "question": {"stem": "Q", "choices": choices}, "answerKey": answer, "info": {"language": language}}


def test_exams_keeps_four_choices_in_a_split_of_its_own(tmp_path):
    records = [
        exam("Italian", "BACD", "B"),
        exam("Italian", "ABC"),
        exam("Italian", "ABCDE", "E"),
        exam("Spanish", "ABC"),
        exam("Klingon", "ABCD"),
    ]
    write(tmp_path / "in/exams/multilingual/test.jsonl", jsonl(*records))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [file.path for file in report.files] == ["m_mmlu/it/exams.parquet"]
    assert report.files[0].notes == ("1 rows with 3 choices left out", "1 rows with 5 choices left out")
    assert read(tmp_path / "out/m_mmlu/it/exams.parquet") == [mmlu_row("x", "Q", "text A|text B|text C|text D", "B")]
    assert any("m_mmlu/es/exams.parquet: not written" in note for note in report.notes)
    assert any("1 rows in Klingon" in note for note in report.notes)


@pytest.mark.parametrize("name", ["Italiano", "italian", "ita"])
def test_exams_in_a_language_by_another_of_its_names(tmp_path, name):
    write(tmp_path / "in/exams/multilingual/test.jsonl", jsonl(exam(name, "ABCD")))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [file.path for file in report.files] == ["m_mmlu/it/exams.parquet"]


def test_exams_answer_that_is_no_choice(tmp_path):
    write(tmp_path / "in/test.jsonl", jsonl(exam("Italian", "ABCD"), exam("Italian", "ABCD", "@")))
    with pytest.raises(DataError, match=r"test\.jsonl, line 2, column 'answerKey': label '@' is none of"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)
