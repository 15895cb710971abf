"""Importing original release files: the real releases, against the counts their files have."""

from __future__ import annotations

from pathlib import Path

import pytest
from importing_help import entry, read

from lensbench.datasets.importing import ImportReport, import_folder
from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import Folder
from lensbench.languages import get_language


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
    "xcopa/zh/test": 500,
    "xcopa/zh/validation": 100,
    "xcopa/sw/test": 250,
    "xcopa/en/test": 500,
    "xcopa/en/validation": 500,
    "xstory_cloze/en/train": 360,
    "xstory_cloze/en/eval": 1200,
    "m_mmlu/en/val": 230,
    "m_mmlu/en/test": 7370,
    "m_mmlu/ar/val": 230,
    "m_mmlu/ar/test": 7370,
    "m_mmlu/ja/test": 5594,
    "m_mmlu/zh/val": 270,
    "m_mmlu/zh/test": 9484,
    "m_mmlu/ar/exams": 400,
    "m_mmlu/vi/exams": 900,
    "m_mmlu/it/exams": 550,
    "m_mmlu/es/exams": 38,
    **{f"aya/{code}/train": 240 for code in ("eng", "zho", "jpn", "kor", "arb", "ben", "swa")},
    **{f"bactrian_x/{code}/train": 80 for code in ("en", "zh", "ja", "ko", "ar", "bn", "sw")},
    "bactrian_x/en/alpaca_demo": 400,
    "bactrian_x/zh/alpaca_demo": 400,
    "multiq/zh/train": 200,
    "multiq/sw/train": 200,
    "ntrex/eng/test": 1200,
    "ntrex/tha/test": 800,
    "mgsm/sw/test": 250,
    **{f"mt_bench/{code}/test": 80 for code in ("en", "zh", "ja", "ko", "bn", "hi", "es", "it")},
    "mt_bench/th/test": 79,
    **{f"vicuna80/{code}/test": 80 for code in ("ar", "zh", "en", "hi", "id", "it", "ja", "ko", "es")},
}


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
    [("th", 250, 500), ("tr", 51, 500), ("sw", 18, 250), ("it", 4, 500), ("id", 4, 500), ("vi", 0, 500), ("zh", 0, 500)],
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
    # Of two MT-Bench sets in one language one is taken; the note on the other names its files.
    noted = {name for name in everything - used - skipped.keys() if any(name in note for note in report.notes)}
    assert used | skipped.keys() | noted == everything
    assert not used & skipped.keys()
    assert {name.split("/")[1] for name in noted} == {"servicenow", "mt_bench_x"}
    for folder in ("mt_bench/judgments", "arena_hard_answers", "glotlid", "pws"):
        assert all(path in skipped for path in everything if path.startswith(folder))
    assert not any("not recognised" in reason for path, reason in skipped.items() if path.startswith(("mt_bench", "vicuna80")))


@pytest.mark.real
@pytest.mark.parametrize(
    "name", ["xcopa", "vicuna80", "mmlu_en", "jmmlu", "cmmlu/test", "lens", "ntrex/NTREX-128", "copa/datasets/copa-test.xml"]
)
def test_real_parts_of_the_tree_are_recognised_too(real_data, imported, tmp_path, name):
    whole, _ = imported(real_data)
    part = import_folder(real_data / name, tmp_path / "out")
    assert part.files
    for file in part.files:
        assert file.sha256 == entry(whole, file.path).sha256
