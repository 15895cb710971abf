"""Importing original release files: every format on a file small enough to check by eye, then the real releases."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensbench.data.importing import ImportedFile, ImportReport, import_folder
from lensbench.data.importing.formats import FORMATS
from lensbench.data.importing.formats.xwinograd import token_spans
from lensbench.data.rows import load_rows_spec
from lensbench.data.sources import Folder
from lensbench.errors import DataError, UsageError
from lensbench.languages import get_language


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def jsonl(*records: dict) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def read(path: Path) -> list[dict]:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist()


def entry(report: ImportReport, path: str) -> ImportedFile:
    (found,) = [file for file in report.files if file.path == path]
    return found


def rows_of(tmp_path: Path, path: str) -> list[dict]:
    """Import `tmp_path/in` into `tmp_path/out` and read one file."""
    import_folder(tmp_path / "in", tmp_path / "out")
    return read(tmp_path / "out" / path)


def xcopa_row(idx: int, question: str = "cause", label: int = 0, texts: tuple[str, str, str] = ("前提", "一", "二")) -> dict:
    row = dict(zip(("premise", "choice1", "choice2"), texts, strict=True))
    return row | {"question": question, "label": label, "idx": idx, "changed": False}


def mmlu_row(id: str, instruction: str, options: str, answer: str) -> dict:
    """The options are written as one string, apart by a bar."""
    named = dict(zip(("option_a", "option_b", "option_c", "option_d"), options.split("|"), strict=True))
    return {"id": id, "instruction": instruction, **named, "answer": answer}


COPA_XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE copa-corpus SYSTEM "copa.dtd">
<copa-corpus version="1.0">
  <item id="501" asks-for="cause" most-plausible-alternative="1"><p>It broke.</p><a1>It fell.</a1><a2>No.</a2></item>
  <item id="502" asks-for="effect" most-plausible-alternative="2"><p>It fell.</p><a1>No.</a1><a2>It broke.</a2></item>
</copa-corpus>
"""


# XCOPA and COPA


def test_xcopa_keeps_the_rows_and_counts_wrong_questions(tmp_path):
    write(tmp_path / "in/xcopa/data/zh/test.zh.jsonl", jsonl(xcopa_row(0, "effect"), xcopa_row(1, "effect", 1)))
    write(tmp_path / "in/xcopa/data/zh/val.zh.jsonl", jsonl(xcopa_row(0)))
    write(tmp_path / "in/copa/copa-test.xml", COPA_XML)
    report = import_folder(tmp_path / "in", tmp_path / "out")
    found = entry(report, "xcopa/zh/test.parquet")
    assert found.notes == ("question differs from English COPA in 1 of 2 rows",)
    assert (found.language, found.split, found.n, found.stand_in) == ("zh", "test", 2, None)
    assert read(tmp_path / "out/xcopa/zh/test.parquet") == [xcopa_row(0, "effect"), xcopa_row(1, "effect", 1)]
    assert entry(report, "xcopa/zh/validation.parquet").notes == ()


def test_xcopa_without_english_says_that_nothing_was_compared(tmp_path):
    write(tmp_path / "in/test.zh.jsonl", jsonl(xcopa_row(0)))
    report = import_folder(tmp_path / "in/test.zh.jsonl", tmp_path / "out")
    assert "not compared" in entry(report, "xcopa/zh/test.parquet").notes[0]


def test_xcopa_machine_translation_and_unknown_languages_are_skipped(tmp_path):
    write(tmp_path / "in/xcopa/data-gmt/zh/test.zh.jsonl", jsonl(xcopa_row(0)))
    write(tmp_path / "in/xcopa/data/xx/test.xx.jsonl", jsonl(xcopa_row(0)))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.files == ()
    reasons = {skip.path: skip.reason for skip in report.skipped}
    assert "machine-translated" in reasons["xcopa/data-gmt/zh/test.zh.jsonl"]
    assert "'xx' is not in the language table" in reasons["xcopa/data/xx/test.xx.jsonl"]


def test_copa_becomes_english_xcopa(tmp_path):
    write(tmp_path / "in/copa-test.xml", COPA_XML)
    assert rows_of(tmp_path, "xcopa/en/test.parquet") == [
        xcopa_row(0, "cause", 0, ("It broke.", "It fell.", "No.")),
        xcopa_row(1, "effect", 1, ("It fell.", "No.", "It broke.")),
    ]


def test_copa_refuses_entities(tmp_path):
    bomb = COPA_XML.replace('SYSTEM "copa.dtd"', '[<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]').replace("It broke.", "&b;")
    write(tmp_path / "in/copa-test.xml", bomb)
    with pytest.raises(DataError, match=r"copa-test\.xml, line 2: entity declarations are not accepted"):
        import_folder(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('alternative="2"', 'alternative="3"', r"item 2, column 'most-plausible-alternative': label '3' is none of"),
        ('"effect"', '"result"', r"item 2, column 'asks-for': label 'result'"),
        ("<a2>No.</a2>", "", r"item 1: the sentence <a2> is missing"),
        ('id="502"', 'id="2"', r"item 2, column 'id': expected a number from 501"),
        ("</copa-corpus>", "", r"line 7: not XML"),
        ("It broke.", "&unknown;", r"line 4: not XML"),
    ],
)
def test_copa_errors(tmp_path, old, new, message):
    write(tmp_path / "in/copa-test.xml", COPA_XML.replace(old, new))
    with pytest.raises(DataError, match=message):
        import_folder(tmp_path / "in", tmp_path / "out")


# XWinograd and CLUEWSC


def winograd_line(
    sentence: str, tokens: list[str], pronoun: list, first: bool = True, code: str = "en", second: bool | None = None
):
    right = not first if second is None else second
    candidates = [["Ann", [0, 1], ["Ann"], first], ["Bea", [2, 3], ["Bea"], right]]
    return "\t".join([code, "original", "?", sentence, json.dumps(tokens), json.dumps(pronoun), json.dumps(candidates)]) + "\n"


THEM = ["Ann", "saw", "Bea", "there", ",", "so", "she", "left", "her", "."]


def test_xwinograd_blanks_the_token_span_and_not_the_first_match(tmp_path):
    # "he" also stands inside "there", "she" and "her"; the marked one is the last.
    tokens = ["Ann", "told", "Bea", "there", "that", "he", "lied", "."]
    write(
        tmp_path / "in/dataset.tsv",
        winograd_line("Ann told Bea there that he lied.", tokens, ["he", [5, 6], ["he"]])
        + winograd_line("Ann saw Bea there, so she left her.", THEM, ["her", [8, 9], ["her"]], first=False),
    )
    assert rows_of(tmp_path, "xwinograd/en/test.parquet") == [
        {"sentence": "Ann told Bea there that _ lied.", "option1": "Ann", "option2": "Bea", "answer": "1"},
        {"sentence": "Ann saw Bea there, so she left _.", "option1": "Ann", "option2": "Bea", "answer": "2"},
    ]


def test_xwinograd_understands_the_tokenisers_quotes(tmp_path):
    tokens = ["Ann", "told", "``", "Bea", "''", "she", "lied", "."]
    write(tmp_path / "in/dataset.tsv", winograd_line('Ann told "Bea" she lied.', tokens, ["she", [5, 6], ["she"]]))
    assert rows_of(tmp_path, "xwinograd/en/test.parquet")[0]["sentence"] == 'Ann told "Bea" _ lied.'


def test_xwinograd_reports_what_it_leaves_out(tmp_path):
    good = winograd_line("Ann saw Bea there, so she left her.", THEM, ["she", [6, 7], ["she"]])
    write(
        tmp_path / "in/dataset.tsv",
        good
        + winograd_line("Ann met Bea there, so she left her.", THEM, ["she", [6, 7], ["she"]])  # another sentence
        + winograd_line("Ann saw Bea there, so she left her.", THEM, ["she", [8, 9], ["she"]])  # another span
        + winograd_line("Ann saw Bea there, so she left her.", THEM, ["she", [6, 7], ["she"]], second=True)
        + winograd_line("Ann saw Bea there, so _ left her.", THEM, ["she", [6, 7], ["she"]])
        + winograd_line("Ann saw Bea there, so she left her.", THEM, ["she", [6, 7], ["she"]], code="xx"),
    )
    report = import_folder(tmp_path / "in", tmp_path / "out")
    found = entry(report, "xwinograd/en/test.parquet")
    assert found.n == 1
    assert found.notes[:3] == (
        "2 rows left out: the pronoun could not be found in the sentence by its token span",
        "1 rows left out: not exactly two candidates of which one is right",
        "1 rows left out: the sentence already has a '_'",
    )
    assert report.notes == ("dataset.tsv: 1 rows in 'xx' left out, not in the language table",)


def test_xwinograd_uses_its_own_language_codes(tmp_path):
    tokens = ["兵", "は", "敵", "を撃った。", "彼", "は悪い。"]
    write(
        tmp_path / "in/dataset.tsv",
        winograd_line("兵は敵を撃った。彼は悪い。", tokens, ["彼", [4, 5], ["彼"]], code="jp"),
    )
    assert rows_of(tmp_path, "xwinograd/jp/test.parquet")[0]["sentence"] == "兵は敵を撃った。_は悪い。"
    rows = Folder(tmp_path / "out").load(load_rows_spec("xwinograd"), get_language("ja"), "test")
    assert len(rows) == 1


@given(st.lists(st.tuples(st.text("ab.\u3042", min_size=1, max_size=4), st.sampled_from(["", " ", "\u3000"])), max_size=12))
def test_token_spans_give_every_token_back(parts):
    sentence = "".join(token + space for token, space in parts)
    spans = token_spans(sentence, [token for token, _ in parts])
    assert spans is not None
    assert [sentence[start:end] for start, end in spans] == [token for token, _ in parts]


def test_token_spans_of_another_sentence():
    assert token_spans("a b", ["a", "c"]) is None
    assert token_spans("a b c", ["a", "b"]) is None
    assert token_spans("a", ["a", ""]) is None


def candidate(text: str, index: int, label: str, pronoun: tuple[int, str] = (4, "他")) -> dict:
    target = {"span1_index": index, "span1_text": text, "span2_index": pronoun[0], "span2_text": pronoun[1]}
    return {
        "target": target,
        "idx": 0,
        "label": label,
        "text": "甲打了乙，他哭。" if pronoun[0] != 4 else "甲打乙，他哭，因他痛。",
    }


def test_cluewsc_pairs_the_right_candidate_with_the_first_wrong_one(tmp_path):
    write(tmp_path / "in/cluewsc/a.json", jsonl(candidate("乙", 2, "true"), candidate("丙", 3, "false")))
    write(tmp_path / "in/cluewsc/b.json", jsonl(candidate("甲", 0, "false"), candidate("甲", 0, "true", (6, "他"))))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert read(tmp_path / "out/xwinograd/zh/cluewsc.parquet") == [
        {"sentence": "甲打乙，_哭，因他痛。", "option1": "甲", "option2": "乙", "answer": "2"}
    ]
    notes = entry(report, "xwinograd/zh/cluewsc.parquet").notes
    assert "488 rows" in notes[0]
    # The pronoun of the last line is not at index 6 of its text.
    assert notes[1:] == ("1 of 1 pronouns kept", "1 candidates left out: the text at span2_index is not span2_text")


def test_cluewsc_leaves_out_what_is_no_pair(tmp_path):
    only_right = candidate("甲", 0, "true", (5, "他"))
    write(
        tmp_path / "in/c.json",
        jsonl(only_right, candidate("甲", 0, "true"), candidate("乙", 2, "true"), candidate("丙", 3, "false")),
    )
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.files == ()
    assert "xwinograd/zh/cluewsc.parquet: not written" in report.notes[0]
    assert "1 pronouns left out: more than one right candidate" in report.notes[0]
    assert "1 pronouns left out: no wrong candidate with another text" in report.notes[0]


def test_cluewsc_wrong_label(tmp_path):
    write(tmp_path / "in/c.json", jsonl(candidate("甲", 0, "true"), candidate("乙", 2, "yes")))
    with pytest.raises(DataError, match=r"c\.json, line 2, column 'label': label 'yes' is none of \['true', 'false'\]"):
        import_folder(tmp_path / "in", tmp_path / "out")


# StoryCloze

STORY_HEADER = "InputStoryid InputSentence1 InputSentence2 InputSentence3 InputSentence4 "
STORY_HEADER = (STORY_HEADER + "RandomFifthSentenceQuiz1 RandomFifthSentenceQuiz2 AnswerRightEnding\r\n").replace(" ", "\t")
STORY_FILE = "in/spring2016.val.en.tsv.split_20_80_eval.tsv"


def test_story_cloze_strips_crlf_and_keeps_quotes(tmp_path):
    write(tmp_path / STORY_FILE, STORY_HEADER + 'id1\t"One.\tTwo.\tThree.\tFour.\tBad end.\tGood end.\t2\r\n')
    (row,) = rows_of(tmp_path, "xstory_cloze/en/eval.parquet")
    assert list(row.values()) == ["id1", '"One.', "Two.", "Three.", "Four.", "Bad end.", "Good end.", 2]
    assert list(row) == list(load_rows_spec("xstory_cloze").columns)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (STORY_HEADER + "id\t1\t2\t3\t4\ta\tb\t3\r\n", r"line 2, column 'AnswerRightEnding': label '3' is none of"),
        (STORY_HEADER + "id\t1\t2\t3\t4\ta\tb\r\n", r"line 2: expected 8 columns, found 7"),
        (STORY_HEADER.replace("\tInputSentence4", ""), r"line 1: missing column 'InputSentence4'"),
        ("", r"the file is empty"),
    ],
)
def test_story_cloze_errors(tmp_path, content, message):
    write(tmp_path / STORY_FILE, content)
    with pytest.raises(DataError, match=message):
        import_folder(tmp_path / "in", tmp_path / "out")


def test_story_cloze_under_another_name_is_skipped(tmp_path):
    write(tmp_path / "in/stories.tsv", STORY_HEADER)
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert "not named" in report.skipped[0].reason


# MMLU and its kin

EN_HEADER = "question,choice0,choice1,choice2,choice3,answer\n"


def test_mmlu_english_pools_subjects_and_turns_indices_into_letters(tmp_path):
    write(tmp_path / "in/mmlu_en/test/zoology_test.csv", EN_HEADER + "Q3,a,b,c,d,3\n")
    # A quoted cell over two lines, with a rarer Unicode line break in it.
    write(
        tmp_path / "in/mmlu_en/test/anatomy_test.csv",
        EN_HEADER + '"Q1\nmore\u2028still","a, b",b,c,d,0\nQ2,a,b,c,d,2\n',
    )
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
        (
            "mmlu_en/test/a.csv",
            EN_HEADER + '"Q\nQ",a,b,c,d,1\nQ,a,b,c,1\n',
            r"a\.csv, line 4: expected 6 columns, found 5",
        ),
        ("mmlu_en/test/a.csv", EN_HEADER + '"Q,a,b,c,d,1\n', r"a\.csv, line 2: not CSV"),
        ("mmlu_en/test/a.csv", EN_HEADER + " ,a,b,c,d,1\n", r"a\.csv, line 2, column 'question': empty text"),
        ("mmlu_en/test/a.csv", EN_HEADER, r"a\.csv: no rows"),
        (
            "mmlu_en/test/a.csv",
            "question,choice0,choice1,choice2,answer\n",
            r"a\.csv, line 1: expected 6 columns, found 5",
        ),
        (
            "mmlu_en/test/a.csv",
            "question,choice0,choice1,choice2,choice4,answer\n",
            r"a\.csv, line 1: expected the header",
        ),
        ("jmmlu/a.csv", "これ,あ,い,う,え,E\n", r"a\.csv, line 1, column 'answer': label 'E' is none of"),
        ("jmmlu/a.csv", "これ,あ,い,う,え,A\n".encode("shift_jis"), r"a\.csv, line 1: not UTF-8"),
        (
            "cmmlu/dev/a.csv",
            ",Question,A,B,C,D,Answer\n0,问题,一,二,三,C\n",
            r"a\.csv, line 2: expected 7 columns, found 6",
        ),
    ],
)
def test_mmlu_errors(tmp_path, name, content, message):
    write(tmp_path / "in" / name, content)
    with pytest.raises(DataError, match=message):
        import_folder(tmp_path / "in", tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.*"))


def exam(language: str, letters: str, answer: str = "A") -> dict:
    choices = [{"text": f"text {letter}", "label": letter} for letter in letters]
    return {
        "id": "x",
        "question": {"stem": "Q", "choices": choices},
        "answerKey": answer,
        "info": {"language": language},
    }


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


def test_exams_answer_that_is_no_choice(tmp_path):
    write(tmp_path / "in/test.jsonl", jsonl(exam("Italian", "ABCD"), exam("Italian", "ABCD", "@")))
    with pytest.raises(DataError, match=r"test\.jsonl, line 2, column 'answerKey': label '@' is none of"):
        import_folder(tmp_path / "in", tmp_path / "out")


# Corpora


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
        import_folder(tmp_path / "in", tmp_path / "out")


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
    instances = [
        {"input_en": "One", "output": "", "input_zh": "一\n"},
        {"input_en": "Two", "output": "", "input_zh": "二"},
    ]
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
        import_folder(tmp_path / "in", tmp_path / "out")


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
        import_folder(tmp_path / "in", tmp_path / "out")


def test_ntrex_lines_end_at_line_feeds_only(tmp_path):
    write(tmp_path / "in/newstest2019-ref.zho-CN.txt", "一\u2028二\r\n三\r\n")
    write(tmp_path / "in/newstest2019-ref.afr.txt", "a\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert read(tmp_path / "out/ntrex/zho-CN/test.parquet") == [
        {"id": "1", "text": "一\u2028二"},
        {"id": "2", "text": "三"},
    ]
    assert "'afr'" in report.skipped[0].reason
    assert len(Folder(tmp_path / "out").load(load_rows_spec("ntrex"), get_language("zh"), "test")) == 2


def test_ntrex_empty_line(tmp_path):
    write(tmp_path / "in/newstest2019-src.eng.txt", "a\n\nb\n")
    with pytest.raises(DataError, match=r"eng\.txt, line 2: empty"):
        import_folder(tmp_path / "in", tmp_path / "out")


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
        import_folder(tmp_path / "in", tmp_path / "out")


# What holds for every format


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (jsonl(xcopa_row(0)) + '{"premise": \n', r"test\.zh\.jsonl, line 2: not JSON"),
        (jsonl(xcopa_row(0)) + "[]\n", r"test\.zh\.jsonl, line 2: expected an object, found list"),
        (jsonl(xcopa_row(0)) + "[" * 100_000 + "\n", r"test\.zh\.jsonl, line 2: not JSON"),
        (jsonl(xcopa_row(0)).encode() + b'{"premise": "\xff"}\n', r"test\.zh\.jsonl, line 2: not UTF-8 \(byte 0xff\)"),
        (jsonl(xcopa_row(0), {"premise": "p"}), r"test\.zh\.jsonl, line 2: missing columns 'choice1', 'choice2'"),
        (jsonl(xcopa_row(0), xcopa_row(1, "why")), r"test\.zh\.jsonl, row 2, column 'question': label 'why'"),
        (jsonl(xcopa_row(0), xcopa_row(1, label=2)), r"test\.zh\.jsonl, row 2, column 'label': label 2"),
        (jsonl(xcopa_row(0) | {"idx": "0"}), r"test\.zh\.jsonl, row 1, column 'idx': expected int, found str"),
        (
            jsonl(xcopa_row(0) | {"premise": "?"}).replace("?", "\\ud800"),
            r"test\.zh\.jsonl, column 'premise': cannot be stored",
        ),
        ("", r"test\.zh\.jsonl: the file is empty"),
    ],
)
def test_a_wrong_file_is_named_and_leaves_nothing(tmp_path, content, message):
    write(tmp_path / "in/test.zh.jsonl", content)
    with pytest.raises(DataError, match=message):
        import_folder(tmp_path / "in", tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.*"))


def test_what_was_written_before_an_error_stays_whole(tmp_path):
    write(tmp_path / "in/a/val.zh.jsonl", jsonl(xcopa_row(0)))
    write(tmp_path / "in/mgsm_en.tsv", "How many?\tmany\n")
    with pytest.raises(DataError, match="mgsm_en"):
        import_folder(tmp_path / "in", tmp_path / "out")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert [item["path"] for item in manifest["files"]] == ["xcopa/zh/validation.parquet"]
    written = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert written == ["manifest.json", "xcopa/zh/validation.parquet"]
    assert len(Folder(tmp_path / "out").load(load_rows_spec("xcopa"), get_language("zh"), "validation")) == 1


def test_an_error_keeps_the_earlier_file_of_the_same_path(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    import_folder(tmp_path / "in", tmp_path / "out")
    before = (tmp_path / "out/mgsm/en/test.parquet").read_bytes()
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\nHow many?\tmany\n")
    with pytest.raises(DataError):
        import_folder(tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out/mgsm/en/test.parquet").read_bytes() == before


def test_manifest_holds_hashes_and_is_merged(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    import_folder(tmp_path / "in", tmp_path / "out")
    write(tmp_path / "more/mgsm_sw.tsv", "Ngapi?\t1\n")
    write(tmp_path / "more/mgsm_en.tsv", "How many?\t2\n")
    import_folder(tmp_path / "more", tmp_path / "out")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text(encoding="utf-8"))
    assert manifest["lensbench_data"] == 1
    assert [item["path"] for item in manifest["files"]] == ["mgsm/en/test.parquet", "mgsm/sw/test.parquet"]
    english = manifest["files"][0]
    assert english["sha256"] == hashlib.sha256((tmp_path / "out/mgsm/en/test.parquet").read_bytes()).hexdigest()
    assert english["source"] == ["mgsm_en.tsv"]
    assert english["source_sha256"] == [hashlib.sha256(b"How many?\t2\n").hexdigest()]
    assert {"rows", "language", "split", "n", "licence", "stand_in", "notes"} <= english.keys()


@pytest.mark.parametrize("content", ["{", "[]", '{"lensbench_data": 2, "files": []}', '{"lensbench_data": 1, "files": [{}]}'])
def test_a_strange_manifest_is_left_alone(tmp_path, content):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    write(tmp_path / "out/manifest.json", content)
    with pytest.raises(DataError, match="not a data manifest"):
        import_folder(tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out/manifest.json").read_text() == content


def test_two_originals_of_one_file(tmp_path):
    write(tmp_path / "in/a/mgsm_en.tsv", "How many?\t1\n")
    write(tmp_path / "in/b/mgsm_en.tsv", "How many?\t2\n")
    with pytest.raises(DataError, match=r"a/mgsm_en\.tsv and b/mgsm_en\.tsv would both become mgsm/en/test\.parquet"):
        import_folder(tmp_path / "in", tmp_path / "out")
    assert read(tmp_path / "out/mgsm/en/test.parquet")[0]["answer"] == 1


def test_unrecognised_files_are_listed(tmp_path):
    write(tmp_path / "in/README.md", "# hello")
    write(tmp_path / "in/noise.csv", b"\x00\xff\xfe")
    write(tmp_path / "in/.hidden", "x")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [skip.path for skip in report.skipped] == ["README.md", "noise.csv"]
    assert report.files == ()


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"question_id": 81, "category": "c", "turns": ["a", "b"]}, "open questions"),
        ({"question_id": 81, "choices": []}, "answers"),
        ({"question_id": 81, "judgment": "[[1]]"}, "judgments"),
    ],
)
def test_known_but_not_imported(tmp_path, record, words):
    write(tmp_path / "in/x.jsonl", jsonl(record))
    assert import_folder(tmp_path / "in", tmp_path / "out").skipped[0].reason == f"{words}: not imported yet"


def test_the_data_folder_may_lie_inside_the_source(tmp_path):
    write(tmp_path / "mgsm_en.tsv", "How many?\t1\n")
    for _ in range(2):
        report = import_folder(tmp_path, tmp_path / "data")
        assert report.skipped == ()


def test_missing_source_and_wrong_target(tmp_path):
    with pytest.raises(UsageError, match="no such file or folder"):
        import_folder(tmp_path / "nowhere", tmp_path / "out")
    write(tmp_path / "file", "")
    with pytest.raises(UsageError, match="is a file"):
        import_folder(tmp_path, tmp_path / "file")


def test_progress_is_told_of_each_file(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    said: list[str] = []
    import_folder(tmp_path / "in", tmp_path / "out", on_progress=said.append)
    assert said == ["mgsm/en/test.parquet: 1 rows"]


def test_format_names_are_unique():
    assert len({form.name for form in FORMATS}) == len(FORMATS)


def test_pyarrow_is_not_loaded_by_the_import_statement():
    code = "import sys, lensbench.data.importing; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The real releases


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Import the releases once for all tests of this file."""
    done: dict[Path, tuple[ImportReport, Path]] = {}

    def run(source: Path) -> tuple[ImportReport, Path]:
        if source not in done:
            target = tmp_path_factory.mktemp("imported")
            done[source] = (import_folder(source, target), target)
        return done[source]

    return run


COUNTS = {
    "xcopa/zh/test": 500, "xcopa/zh/validation": 100, "xcopa/sw/test": 250,
    "xcopa/en/test": 500, "xcopa/en/validation": 500,
    "xstory_cloze/en/train": 360, "xstory_cloze/en/eval": 1200,
    "m_mmlu/en/val": 230, "m_mmlu/en/test": 7370, "m_mmlu/ar/val": 230, "m_mmlu/ar/test": 7370,
    "m_mmlu/ja/test": 5594, "m_mmlu/zh/val": 270, "m_mmlu/zh/test": 9484,
    "m_mmlu/ar/exams": 400, "m_mmlu/vi/exams": 900, "m_mmlu/it/exams": 550, "m_mmlu/es/exams": 38,
    **{f"aya/{code}/train": 240 for code in ("eng", "zho", "jpn", "kor", "arb", "ben", "swa")},
    **{f"bactrian_x/{code}/train": 80 for code in ("en", "zh", "ja", "ko", "ar", "bn", "sw")},
    "bactrian_x/en/alpaca_demo": 400, "bactrian_x/zh/alpaca_demo": 400,
    "multiq/zh/train": 200, "multiq/sw/train": 200, "ntrex/eng/test": 1200, "ntrex/tha/test": 800, "mgsm/sw/test": 250,
}  # fmt: skip


@pytest.mark.real
def test_real_counts(real_data, imported):
    report, _ = imported(real_data)
    found = {file.path.removesuffix(".parquet"): file.n for file in report.files}
    assert {path: found.get(path) for path in COUNTS} == COUNTS


@pytest.mark.real
@pytest.mark.parametrize(("code", "rows"), [("en", 1860), ("jp", 767), ("pt", 210), ("fr", 83), ("zh", 16)])
def test_real_xwinograd_rows_are_kept_or_counted(real_data, imported, code, rows):
    report, target = imported(real_data)
    found = entry(report, f"xwinograd/{code}/test.parquet")
    left_out = sum(int(note.split()[0]) for note in found.notes if "left out" in note)
    assert found.n + left_out == rows
    assert all(row["sentence"].count("_") == 1 for row in read(target / found.path))


@pytest.mark.real
@pytest.mark.parametrize(
    ("code", "wrong", "rows"),
    [
        ("th", 250, 500),
        ("tr", 51, 500),
        ("sw", 18, 250),
        ("it", 4, 500),
        ("id", 4, 500),
        ("vi", 0, 500),
        ("zh", 0, 500),
    ],
)
def test_real_xcopa_questions(real_data, imported, code, wrong, rows):
    report, _ = imported(real_data)
    # All labels agree, so there is no note on labels.
    notes = entry(report, f"xcopa/{code}/test.parquet").notes
    assert notes == (f"question differs from English COPA in {wrong} of {rows} rows",)


@pytest.mark.real
def test_real_cluewsc(real_data, imported, tmp_path):
    report, _ = imported(real_data)
    # Candidates of one pronoun are spread over both files: together they give more pairs than one by one.
    assert entry(report, "xwinograd/zh/cluewsc.parquet").n == 249
    alone = import_folder(real_data / "cluewsc/test_public.json", tmp_path / "out")
    assert alone.files[0].n == 188


@pytest.mark.real
def test_real_arabic_mmlu_is_row_for_row_with_english(real_data, imported):
    _, target = imported(real_data)
    for split in ("val", "test"):
        english, arabic = (read(target / f"m_mmlu/{code}/{split}.parquet") for code in ("en", "ar"))
        assert [(row["id"], row["answer"]) for row in english] == [(row["id"], row["answer"]) for row in arabic]


@pytest.mark.real
def test_real_sample_of_the_authors(real_data, imported):
    report, target = imported(real_data)
    repeated = {"eng": "1 of 240", "arb": None, "swa": "2 of 240"}
    for code, words in repeated.items():
        notes = entry(report, f"aya/{code}/train.parquet").notes
        assert [note[:8] for note in notes[1:]] == ([words] if words else [])
    assert "43 of 80 prompts" in entry(report, "bactrian_x/zh/train.parquet").notes[1]
    ids = [row["id"] for row in read(target / "bactrian_x/zh/train.parquet")]
    assert ids == [row["id"] for row in read(target / "bactrian_x/en/train.parquet")]


@pytest.mark.real
def test_real_rows_load_from_the_data_folder(real_data, imported):
    report, target = imported(real_data)
    folder = Folder(target)
    for file in report.files:
        rows = folder.load(load_rows_spec(file.rows), get_language(file.language), file.split)
        assert (len(rows), rows.origin.stand_in) == (file.n, file.stand_in)


@pytest.mark.real
def test_real_import_twice_gives_the_same_bytes(real_data, imported, tmp_path):
    report, target = imported(real_data)
    again = import_folder(real_data, tmp_path / "out")
    assert again.files == report.files
    assert (tmp_path / "out/manifest.json").read_bytes() == (target / "manifest.json").read_bytes()
    for file in report.files:
        assert (tmp_path / "out" / file.path).read_bytes() == (target / file.path).read_bytes()


@pytest.mark.real
def test_every_real_file_is_imported_or_skipped_with_a_reason(real_data, imported):
    report, _ = imported(real_data)
    used = {name for file in report.files for name in file.source}
    skipped = {skip.path: skip.reason for skip in report.skipped}
    everything = {path.relative_to(real_data).as_posix() for path in real_data.rglob("*") if path.is_file()}
    assert used | skipped.keys() == everything
    assert not used & skipped.keys()
    for folder in ("mt_bench", "vicuna80", "arena_hard_answers", "glotlid", "pws"):
        assert all("not imported yet" in reason for path, reason in skipped.items() if path.startswith(folder))


@pytest.mark.real
@pytest.mark.parametrize(
    "name", ["xcopa", "mmlu_en", "jmmlu", "cmmlu/test", "lens", "ntrex/NTREX-128", "copa/datasets/copa-test.xml"]
)
def test_real_parts_of_the_tree_are_recognised_too(real_data, imported, tmp_path, name):
    whole, _ = imported(real_data)
    part = import_folder(real_data / name, tmp_path / "out")
    assert part.files
    for file in part.files:
        assert file.sha256 == entry(whole, file.path).sha256
