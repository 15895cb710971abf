"""MT-Bench question sets in all the shapes they are published in, the reference answers beside them, and Vicuna's questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from importing_help import entry, jsonl, read, rows_of, write

from lensbench.datasets.importing import import_folder
from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import Folder
from lensbench.errors import DataError
from lensbench.languages import get_language

OUT = "mt_bench/{}/test.parquet"


def question(question_id: object = 81, category: str = "writing", turns: object = ("One?", "Two?"), **more: object) -> dict:
    return {"question_id": question_id, "category": category, "turns": turns, **more}


def answer(question_id: object = 81, turns: object = ("One.", "Two."), model: str = "gpt-4") -> dict:
    return {"question_id": question_id, "model_id": model, "choices": [{"index": 0, "turns": turns}]}


def test_english_keeps_the_two_kinds_of_reference_apart(tmp_path):
    own = question(101, "reasoning", reference=["Yes.", ""])
    write(tmp_path / "in/mt_bench/question.jsonl", jsonl(question(), own, question(111, "math"), question(121, "coding")))
    write(tmp_path / "in/mt_bench/reference_answer/gpt-4.jsonl", jsonl(answer(101), answer(111), answer(170)))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    found = {row["question_id"]: row for row in read(tmp_path / "out" / OUT.format("en"))}
    assert list(found) == [81, 101, 111, 121]
    assert found[81] == question(turns=["One?", "Two?"], reference=None, reference_answer=None, reference_model=None)
    assert (found[101]["reference"], found[101]["reference_answer"]) == (["Yes.", ""], ["One.", "Two."])
    assert (found[111]["reference"], found[111]["reference_model"]) == (None, "gpt-4")
    written = entry(report, OUT.format("en"))
    assert written.notes == (
        "1 of 4 questions carry a reference of the set itself",
        "2 of 4 questions have a reference answer by gpt-4",
        "1 reference answers left out, their questions are not here: 170",
        "no reference of either kind for 1 questions in math, reasoning, coding: 121",
    )
    assert (written.stand_in, written.licence) == (None, "Apache-2.0; reference answers by gpt-4, whose maker's terms apply")
    assert written.source == ("mt_bench/question.jsonl", "mt_bench/reference_answer/gpt-4.jsonl")


def test_huozi_ids_and_categories(tmp_path):
    write(tmp_path / "in/mt-bench-zh/question.jsonl", jsonl(question(1081, "zh_writing"), question(1111, "zh_math")))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    rows = read(tmp_path / "out" / OUT.format("zh"))
    assert [(row["question_id"], row["category"]) for row in rows] == [(81, "writing"), (111, "math")]
    notes = entry(report, OUT.format("zh")).notes
    assert "2 question ids were written otherwise, the first as 1081" in notes
    assert "2 categories were written with 'zh_' before them" in notes


def test_ids_of_an_order_of_its_own_are_kept(tmp_path):
    write(tmp_path / "in/ja/question_full.jsonl", jsonl(question(2, "coding"), question(1)))
    write(tmp_path / "in/ja/reference_answer/gpt-4.jsonl", jsonl(answer(1), answer(2, ("A", "B"))))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    rows = read(tmp_path / "out" / OUT.format("ja"))
    assert [(row["question_id"], row["reference_answer"]) for row in rows] == [(2, ["A", "B"]), (1, ["One.", "Two."])]
    written = entry(report, OUT.format("ja"))
    assert any("ids 1-2 are the set's own" in note for note in written.notes)
    assert "Stability" in str(written.stand_in)


def test_the_ending_of_the_file_name_pairs_questions_and_answers(tmp_path):
    folder = tmp_path / "in/data"
    write(folder / "question_ko.jsonl", jsonl(question()))
    write(folder / "question_th.jsonl", jsonl(question()))
    write(folder / "reference_answer_ko/gpt-4.jsonl", jsonl(answer()))
    write(folder / "reference_answer_ko/gpt-4o.jsonl", jsonl(answer(model="gpt-4o")))
    write(folder / "reference_answer_xx/gpt-4.jsonl", jsonl(answer()))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert entry(report, OUT.format("ko")).source == ("data/question_ko.jsonl", "data/reference_answer_ko/gpt-4.jsonl")
    assert "LGPL-3.0" in entry(report, OUT.format("ko")).licence
    assert entry(report, OUT.format("th")).source == ("data/question_th.jsonl",)
    assert report.notes == (
        "data/reference_answer_ko/gpt-4o.jsonl: left out, the reference answers are taken from "
        "data/reference_answer_ko/gpt-4.jsonl",
        "data/reference_answer_xx/gpt-4.jsonl: left out, no question file stands beside its folder",
    )


@pytest.mark.parametrize(
    ("file", "record", "code"),
    [
        ("mt_bench_bengali/question.jsonl", question(lang="Bengali"), "bn"),
        ("x/question.jsonl", question(lang="Thai"), "th"),
        ("x/question.jsonl", question("81_DE"), "de"),
        ("mt_bench_jp/question.jsonl", question(), "ja"),
        ("japanese_mt_bench/question_full.jsonl", question(1), "ja"),
        ("mt_bench_x/questions-sw.jsonl", question(), "sw"),
        ("mt-bench/question.jsonl", question(), "en"),
        ("mt_bench/ar/test.jsonl", question("81"), "ar"),
    ],
)
def test_where_the_language_is_told(tmp_path, file, record, code):
    write(tmp_path / "in" / file, jsonl(record))
    assert rows_of(tmp_path, OUT.format(code))[0]["question_id"] in (1, 81)


@pytest.mark.parametrize(
    ("file", "record", "reason"),
    [
        ("some/question.jsonl", question(), "nothing says which language"),
        ("some/question.jsonl", question(lang="Dutch"), "language 'dutch' is not in the language table"),
        ("en/question.jsonl", question("81_NL"), "language 'nl' is not in the language table"),
        ("en/question.jsonl", question(turns=[{"content": "One?"}]), "not recognised"),
        ("en/answers.jsonl", answer(), "recorded answers of a model"),
        ("en/verdicts.jsonl", {"question_id": 81, "judgment": "[[1]]"}, "recorded verdicts of a judge"),
        ("questions_Dutch.jsonl", {"question_id": 1, "text": "Wie?", "category": "c"}, "language 'Dutch'"),
    ],
)
def test_skipped_with_the_reason(tmp_path, file, record, reason):
    write(tmp_path / "in" / file, jsonl(record))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert not report.files
    assert reason in report.skipped[0].reason


def test_references_absent_empty_printed_and_broken(tmp_path):
    records = [
        question("81_IT", reference=[]),
        question("82_IT"),
        question("83_IT", reference=None),
        question("84_IT", reference=["Uno.", "Due."]),
        question("85_IT", reference=r"""['L\'area', "Due \( "]"""),
        question("86_IT", reference="['L'area', 'Due']"),
        question("87_IT", reference="{[]: 1}"),
    ]
    write(tmp_path / "in/x/question.jsonl", jsonl(*records))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    rows = read(tmp_path / "out" / OUT.format("it"))
    assert [row["reference"] for row in rows] == [None, None, None, ["Uno.", "Due."], ["L'area", "Due \\( "], None, None]
    notes = entry(report, OUT.format("it")).notes
    assert "2 of 7 questions carry a reference of the set itself" in notes
    assert "1 references were printed Python lists, which were read back" in notes
    assert "2 references left out, printed lists that cannot be read back: 86-87" in notes


def test_a_question_with_a_blank_turn_is_left_out_and_counted(tmp_path):
    write(tmp_path / "in/th/question.jsonl", jsonl(question(81), question(82, turns=["One?", " "]), question(83)))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [row["question_id"] for row in read(tmp_path / "out" / OUT.format("th"))] == [81, 83]
    assert "1 questions left out, a turn is blank: 82" in entry(report, OUT.format("th")).notes


def test_one_set_is_chosen_and_the_other_named(tmp_path):
    write(tmp_path / "in/a/mt_bench_IT/question.jsonl", jsonl(question("81_IT", turns=["Uno X", "Due"])))
    write(tmp_path / "in/b/mt_bench_it/question.jsonl", jsonl(question(lang="Italian", turns=["Uno S", "Due"])))
    write(tmp_path / "in/b/mt_bench_it/reference_answer/gpt-4.jsonl", jsonl(answer()))
    write(tmp_path / "in/c/it/question.jsonl", jsonl(question()))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert read(tmp_path / "out" / OUT.format("it"))[0]["turns"][0] == "Uno S"
    taken = "left out, Italian is taken from b/mt_bench_it/question.jsonl (ServiceNow's translation (M2Lingual))"
    assert report.notes == (f"a/mt_bench_IT/question.jsonl: {taken}", f"c/it/question.jsonl: {taken}")
    alone = import_folder(tmp_path / "in/a", tmp_path / "alone")
    assert (alone.notes, entry(alone, OUT.format("it")).n) == ((), 1)


def test_of_two_sets_that_rank_alike_the_user_says_which(tmp_path):
    for name, text in (("a", "One?"), ("b", "Two?")):
        write(tmp_path / f"in/{name}/sw/question.jsonl", jsonl(question() | {"turns": [text, "And?"]}))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.files == ()
    assert (
        "a/sw/question.jsonl (1 rows); b/sw/question.jsonl (1 rows) would both become mt_bench/sw" in report.problems[0].message
    )
    import_folder(tmp_path / "in", tmp_path / "out", prefer=["b/*"])
    assert read(tmp_path / "out" / OUT.format("sw"))[0]["turns"][0] == "Two?"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (question(1081), r"column 'question_id': 1081 is 81, which stands in line 1 too"),
        (question("81"), r"column 'question_id': '81' is 81, which stands in line 1 too"),
        (question("eighty"), r"column 'question_id': 'eighty' is no question id"),
        (question(82.5), r"column 'question_id': 82\.5 is no question id"),
        (question(True), r"column 'question_id': True is no question id"),
        (question("82_FR"), r"column 'question_id': language 'FR', but '' in the first line"),
        (question(82, lang="Thai"), r"column 'lang': language 'Thai', but None in the first line"),
        (question(82, "essays"), r"column 'category': label 'essays' is none of \['writing', "),
        (question(82, turns=["One?"]), r"column 'turns': expected 2 texts, one a turn, found 1"),
        (question(82, turns=["1", "2", "3"]), r"column 'turns': expected 2 texts, one a turn, found 3"),
        (question(82, turns=["One?", 2]), r"column 'turns': expected str, found int 2"),
        (question(82, turns="One?"), r"column 'turns': expected list, found str"),
        (question(82, reference=["One."]), r"column 'reference': expected 2 texts, one a turn, found 1"),
        (question(82, reference=7), r"column 'reference': expected 2 texts, one a turn, found int"),
        ({"question_id": 82, "category": "math"}, r"column 'turns' is missing"),
        ({"category": "math"}, r"column 'question_id' is missing"),
    ],
)
def test_a_wrong_question_is_named(tmp_path, second, message):
    write(tmp_path / "in/en/question.jsonl", jsonl(question(), second))
    with pytest.raises(DataError, match=rf"en/question\.jsonl, line 2[:,] {message}"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)
    assert not list((tmp_path / "out").rglob("*.*"))


def test_a_line_that_is_not_json(tmp_path):
    write(tmp_path / "in/en/question.jsonl", jsonl(question()) + '{"question_id": 82,\n')
    with pytest.raises(DataError, match=r"en/question\.jsonl, line 2: not JSON"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (answer(81), r"column 'question_id': 81 stands in line 1 too"),
        (answer(82, ["One."]), r"column 'turns': expected 2 texts, one a turn, found 1"),
        (answer(82, ["One.", " "]), r"column 'turns': empty text"),
        (answer(82) | {"choices": []}, r"column 'choices': expected one answer, found 0"),
        (answer(82) | {"choices": ["One."]}, r"column 'choices': expected an object, found str"),
        (answer(82) | {"model_id": None}, r"column 'model_id': expected str, found NoneType"),
    ],
)
def test_a_wrong_reference_answer_is_named(tmp_path, second, message):
    write(tmp_path / "in/en/question.jsonl", jsonl(question(), question(82)))
    write(tmp_path / "in/en/reference_answer/gpt-4.jsonl", jsonl(answer(), second))
    with pytest.raises(DataError, match=rf"reference_answer/gpt-4\.jsonl, line 2, {message}"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)


OWN = load_rows_spec("mt_bench")


@pytest.mark.parametrize("code", ["sw", "ar"])
def test_a_file_of_ones_own(tmp_path, code):
    rows = [question(81, reference=[]), question(82, reference=["One.", "Two."]), {"category": "math", "turns": ["1?", "2?"]}]
    write(tmp_path / "mt_bench" / code / "test.jsonl", jsonl(*rows))
    loaded = Folder(tmp_path).load(OWN, get_language(code), "test")
    assert (len(loaded), loaded.origin.expected_rows) == (3, 80)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (question(81), r"test\.jsonl, rows 1 and 2, column 'question_id': both have 81"),
        (question(82, turns=["One?"]), r"test\.jsonl, row 2, column 'turns': expected 2 elements, found 1"),
        (question(82, turns=["1", "2", "3"]), r"test\.jsonl, row 2, column 'turns': expected 2 elements, found 3"),
        (question(82, turns=[]), r"test\.jsonl, row 2, column 'turns': expected 2 elements, found 0"),
        (question(82, turns=["One?", "\n"]), r"test\.jsonl, row 2, column 'turns', element 2: empty text"),
        (question(82, turns=["One?", None]), r"test\.jsonl, row 2, column 'turns', element 2: expected text, found NoneType"),
        (question(82, "essays"), r"test\.jsonl, row 2, column 'category': label 'essays'"),
        (question(82, reference=["One."]), r"test\.jsonl, row 2, column 'reference': expected 2 elements, found 1"),
    ],
)
def test_a_wrong_file_of_ones_own(tmp_path, second, message):
    write(tmp_path / "mt_bench/sw/test.jsonl", jsonl(question(), second))
    with pytest.raises(DataError, match=message):
        Folder(tmp_path).load(OWN, get_language("sw"), "test")


def test_vicuna_questions(tmp_path):
    record = {"question_id": 1, "text": "كيف؟", "category": "generic"}
    path = write(tmp_path / "in/questions_Arabic.jsonl", jsonl(record))
    assert rows_of(tmp_path, "vicuna80/ar/test.parquet") == [{"question_id": 1, "category": "generic", "prompt": "كيف؟"}]
    for second, message in (
        (record, "question_id': 1 stands in line 1"),
        (record | {"question_id": 2, "text": ""}, "'text': em"),
    ):
        write(path, jsonl(record, second))
        with pytest.raises(DataError, match=rf"questions_Arabic\.jsonl, line 2, column '?{message}"):
            import_folder(tmp_path / "in", tmp_path / "out", strict=True)


@pytest.mark.parametrize(("name", "code"), [("Deutsch", "de"), ("German", "de"), ("swahili", "sw"), ("jp", "ja")])
def test_releases_name_languages_in_words(tmp_path, name, code):
    record = {"question_id": 1, "text": "x", "category": "generic"}
    write(tmp_path / f"in/questions_{name}.jsonl", jsonl(record))
    assert [file.path for file in import_folder(tmp_path / "in", tmp_path / "out").files] == [f"vicuna80/{code}/test.parquet"]
    set_ = {"question_id": 81, "category": "writing", "turns": ["a", "b"], "lang": name}
    write(tmp_path / "sets/x/question.jsonl", jsonl(set_))
    report = import_folder(tmp_path / "sets", tmp_path / "more")
    assert [file.language for file in report.files] == [code], report.as_dict()


def originals(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


SERVICENOW = {"bn": "bengali", "th": "thai", "hi": "hindi", "es": "es", "it": "it"}
REAL = {
    "en": ("en/question.jsonl", "en/reference_answer/gpt-4.jsonl"),
    "zh": ("zh/question.jsonl", None),
    "ja": ("ja/question_full.jsonl", "ja/reference_answer/gpt-4.jsonl"),
    "ko": ("ko/question_ko.jsonl", "ko/reference_answer_ko/gpt-4.jsonl"),
    **{
        code: (f"servicenow/mt_bench_{name}/question.jsonl", f"servicenow/mt_bench_{name}/reference_answer/gpt-4.jsonl")
        for code, name in SERVICENOW.items()
    },
}
BLANK = {"th": 94}
"""The release has an empty second turn there."""


@pytest.mark.real
@pytest.mark.parametrize("code", REAL)
def test_real_rows_are_those_of_the_release(real_data, imported, code):
    file, references = REAL[code]
    raw = originals(real_data / "mt_bench" / file)
    assert len(raw) == 80
    raw = [row for row in raw if row["question_id"] != BLANK.get(code)]
    loaded = Folder(imported).load(OWN, get_language(code), "test")
    shift = 1000 if code == "zh" else 0
    assert [row["question_id"] for row in loaded.rows] == [row["question_id"] - shift for row in raw]
    assert [row["turns"] for row in loaded.rows] == [row["turns"] for row in raw]
    assert [row["category"] for row in loaded.rows] == [row["category"].removeprefix("zh_") for row in raw]
    for row, before in zip(loaded.rows, raw, strict=True):
        reference = before.get("reference")
        if isinstance(reference, str):
            # Printed lists; a kept one without quotes in its texts must be the very list that was printed.
            kept = row.get("reference")
            assert kept is None or repr(kept) == reference or {"'", '"', "\\"} & set(reference[2:-2].replace("', '", ""))
        else:
            assert row.get("reference") == reference
    stored = originals(real_data / "mt_bench" / references) if references else []
    expected = {each["question_id"]: (each["choices"][0]["turns"], each["model_id"]) for each in stored}
    found = {
        row["question_id"]: (row["reference_answer"], row["reference_model"])
        for row in loaded.rows
        if row.get("reference_answer")
    }
    assert found == {key: expected[key] for key in expected if key in {row["question_id"] for row in loaded.rows}}


@pytest.mark.real
@pytest.mark.parametrize(
    ("code", "rows", "own", "stored"),
    [
        ("en", 80, 39, 30),
        ("zh", 80, 25, 0),
        ("ja", 80, 0, 80),
        ("ko", 80, 39, 80),
        ("bn", 80, 39, 80),
        ("hi", 80, 39, 80),
        ("th", 79, 39, 79),
        ("es", 80, None, 80),
        ("it", 80, None, 80),
    ],
)
def test_real_counts(imported, code, rows, own, stored):
    found = Folder(imported).load(OWN, get_language(code), "test").rows
    assert len(found) == rows
    assert sum(bool(row.get("reference_answer")) for row in found) == stored
    if own is not None:
        assert sum(bool(row.get("reference")) for row in found) == own
    if code != "ja":
        assert {row["question_id"] for row in found} == set(range(81, 161)) - {BLANK.get(code)}
    # Every category has ten questions, of which the Thai set lost one.
    assert sorted({row["category"] for row in found}) == sorted(OWN.columns["category"].values)


@pytest.mark.real
def test_real_choices_notes_and_licences(real_data, tmp_path):
    report = import_folder(real_data / "mt_bench", tmp_path / "out")
    files = {file.language: file for file in report.files}
    assert files.keys() == REAL.keys()
    assert {code for code, file in files.items() if file.stand_in is None} == {"en", "zh"}
    assert {code for code, file in files.items() if not file.licence.startswith("Apache-2.0")} == {"ko"}
    assert "10 reference answers left out, their questions are not here: 161-170" in files["ko"].notes
    assert any("ids 1-80 are the set's own" in note for note in files["ja"].notes)
    assert "1 questions left out, a turn is blank: 94" in files["th"].notes
    spanish = {row["question_id"]: row["reference"] for row in read(tmp_path / "out" / OUT.format("es"))}
    assert spanish[101] == ["Estás en segundo lugar.", "Incierto."]
    for code in ("es", "it"):
        counts = [int(note.split()[0]) for note in files[code].notes if "printed" in note]
        assert len(counts) == 2 and sum(counts) == 39
    assert [note.partition(":")[0] for note in report.notes] == [
        "servicenow/mt_bench_jp/question.jsonl with servicenow/mt_bench_jp/reference_answer/gpt-4.jsonl",
        "mt_bench_x/mt_bench_IT/question.jsonl",
    ]
    assert {skip.path.split("/")[0] for skip in report.skipped} == {"judgments"}


@pytest.mark.real
@pytest.mark.parametrize(("part", "code"), [("mt_bench_x/mt_bench_IT", "it"), ("servicenow/mt_bench_jp/question.jsonl", "ja")])
def test_real_sets_that_are_left_out_can_be_imported_alone(real_data, tmp_path, part, code):
    report = import_folder(real_data / "mt_bench" / part, tmp_path / "out")
    rows = read(tmp_path / "out" / OUT.format(code))
    assert (report.notes, [row["question_id"] for row in rows]) == ((), list(range(81, 161)))
    if code == "it":
        assert sum(row["reference"] is not None for row in rows) == 39


VICUNA = {
    "ar": "Arabic",
    "zh": "Chinese",
    "en": "English",
    "hi": "Hindi",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "es": "Spanish",
}


@pytest.mark.real
@pytest.mark.parametrize(("code", "name"), VICUNA.items())
def test_real_vicuna(real_data, imported, code, name):
    raw = originals(real_data / "vicuna80" / f"questions_{name}.jsonl")
    rows = Folder(imported).load(load_rows_spec("vicuna80"), get_language(code), "test").rows
    assert len(rows) == 80
    assert [(row["question_id"], row["prompt"], row["category"]) for row in rows] == [
        (row["question_id"], row["text"], row["category"]) for row in raw
    ]
