"""Importing original release files: XCOPA and COPA, XWinograd and CLUEWSC, StoryCloze."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing_help import COPA_XML, entry, jsonl, read, rows_of, write, xcopa_row

from lensbench.datasets.importing import import_folder
from lensbench.datasets.importing.formats.xwinograd import token_spans
from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import Folder
from lensbench.errors import DataError
from lensbench.languages import get_language


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
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)


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
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)


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


def test_xwinograd_leaves_the_full_stop_behind_the_blank(tmp_path):
    sentence, tokens = "Мы наказали их.", ["Мы", "наказали", "их."]
    write(tmp_path / "in/dataset.tsv", winograd_line(sentence, tokens, ["их.", [2, 3], ["их."]], code="ru"))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert rows_of(tmp_path, "xwinograd/ru/test.parquet")[0]["sentence"] == "Мы наказали _."
    assert "1 rows mark punctuation with the pronoun" in "; ".join(entry(report, "xwinograd/ru/test.parquet").notes)


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
    write(tmp_path / "in/dataset.tsv", winograd_line("兵は敵を撃った。彼は悪い。", tokens, ["彼", [4, 5], ["彼"]], code="jp"))
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
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)


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
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)


def test_story_cloze_under_another_name_is_skipped(tmp_path):
    write(tmp_path / "in/stories.tsv", STORY_HEADER)
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert "not named" in report.skipped[0].reason
