"""Rows from the hub: every set in its true layout, one split at a time, with and without a network, and as a folder has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import hub_layouts as layouts
import pytest
from hub_server import PARQUET, HubServer, Repository

from lensbench.datasets.rows import check_rows, include_rows, load_rows_spec, parse_rows_spec, rows_specs
from lensbench.datasets.sources import Folder, Hub, read_rows
from lensbench.errors import DataError, UnavailableError
from lensbench.languages import get_language

SHAPES = {
    "aya": (layouts.aya, 820),
    "bactrian_x": (layouts.bactrian, 820),
    "m_mmlu": (layouts.m_mmlu, 6),
    "mmmlu": (layouts.mmmlu, 6),
    "mt_bench_japanese": (layouts.mt_bench, 80),
    "mt_bench_korean": (layouts.mt_bench, 80),
    "mt_bench_prompts": (layouts.mt_bench_prompts, 80),
    "multiq": (layouts.multiq, 6),
    "xcopa": (layouts.xcopa, 6),
    "xstory_cloze": (layouts.xstory_cloze, 6),
    "xwinograd": (layouts.xwinograd, 6),
}
"""Row definition -> what made its rows, and how many."""


@pytest.fixture(scope="module")
def repositories() -> list[Repository]:
    return layouts.repositories()


@pytest.fixture
def hub(repositories: list[Repository], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer(repositories, renamed=layouts.RENAMED) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("LENSBENCH_HUB_TRIES", "1")
        for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN", "TRANSFORMERS_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield server


def asked_of(name: str) -> list[tuple[str, str]]:
    """Language and split of everything that the stand-in has of a set."""
    spec = rows_specs()[name]
    return [(code, split) for code in layouts.LANGUAGES if spec.on_hub(get_language(code)) for split in spec.splits]


def test_every_set_on_the_hub_is_looked_at_here():
    on_hub = {name for name, spec in rows_specs().items() if spec.hub and asked_of(name)}
    assert on_hub == set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_rows_of_every_set(hub, monkeypatch, name):
    spec, (shape, count) = load_rows_spec(name), SHAPES[name]
    source, digests = Hub(), {}
    for code, split in asked_of(name):
        loaded = source.load(spec, get_language(code), split)
        made = [shape(code, i) for i in range(count)]
        assert len(loaded) == count and loaded.origin.name == spec.hub and len(loaded.origin.revision or "") == 40
        # What a definition adapts has other names; the texts are those that were put in.
        for row, original in zip(loaded.rows, made, strict=True):
            for column in spec.columns:
                wanted = original.get(column)
                assert row.get(spec.rename.get(column, column)) == wanted or wanted in (None, [])
        digests[code, split] = loaded.origin.digest
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = len(hub.asked)
    again = Hub()
    assert {key: again.load(spec, get_language(key[0]), key[1]).origin.digest for key in digests} == digests
    assert len(hub.asked) == before


def test_only_the_files_of_one_split_are_fetched(hub):
    Hub().load(load_rows_spec("xstory_cloze"), get_language("sw"), "eval")
    fetched = {path.split("/resolve/")[-1].split("/", 1)[-1] for path in hub.fetched()}
    assert fetched == {"README.md", "sw/eval/0000.parquet"}
    hub.asked.clear()
    Hub().load(load_rows_spec("mmmlu"), get_language("ko"), "test")
    assert {path.rsplit("/", 1)[-1] for path in hub.fetched()} == {"README.md", "mmlu_KO-KR.csv"}


def test_a_second_language_of_a_set_asks_for_its_file_only(hub):
    source = Hub()
    source.load(load_rows_spec("xwinograd"), get_language("en"), "test")
    hub.asked.clear()
    source.load(load_rows_spec("xwinograd"), get_language("ja"), "test")
    assert {asked.path.split("/resolve/")[-1].split("/", 1)[-1] for asked in hub.asked} == {"jp/test/0000.parquet"}


def test_script_repositories_are_read_at_the_commit_of_their_export(hub, repositories):
    loaded = Hub().load(load_rows_spec("bactrian_x"), get_language("zh"), "train")
    bactrian = next(r for r in repositories if r.id == "MBZUAI/Bactrian-X")
    assert loaded.origin.revision == bactrian.commit(PARQUET)
    # A run that goes on names that commit, and finds the rows with it.
    again = Hub().load(load_rows_spec("bactrian_x"), get_language("zh"), "train", revision=loaded.origin.revision)
    assert again.origin == loaded.origin


def test_words_that_readers_of_tables_take_for_nothing_stay(hub):
    rows = Hub().load(load_rows_spec("mmmlu"), get_language("sw"), "test").rows
    assert all([row["option_a"], row["option_b"], row["option_c"]] == ["None", "NA", "null"] for row in rows)


@pytest.mark.parametrize(("rows", "code"), [("mt_bench_prompts", "en"), ("mt_bench_japanese", "ja"), ("mt_bench_korean", "ko")])
def test_questions_of_the_hub_have_the_shape_of_mt_bench(hub, rows, code):
    spec = load_rows_spec(rows)
    loaded = Hub().load(spec, get_language(code), "test")
    assert spec.adapts == "mt_bench" and not spec.on_hub(get_language("sw"))
    check_rows(loaded.rows, load_rows_spec("mt_bench"), "adapted")
    assert [row["turns"] for row in loaded.rows] == [layouts.mt_bench(code, i)["turns"] for i in range(80)]


def test_a_renamed_set_is_followed(hub, tmp_path):
    definition = tmp_path / "aya.yaml"
    text = (Path(__file__).parents[2] / "tasks/rows/aya.yaml").read_text(encoding="utf-8")
    definition.write_text(text.replace("CohereLabs/", "CohereForAI/"), encoding="utf-8")
    loaded = Hub().load(parse_rows_spec(definition), get_language("bn"), "train")
    assert len(loaded) == 820 and {row["language_code"] for row in loaded.rows} == {"ben"}


def test_one_run_reads_one_commit_when_the_set_changes_meanwhile(hub):
    changing = layouts.repositories(items=3, texts=4)
    xcopa = next(r for r in changing if r.id == "cambridgeltl/xcopa")
    hub.repositories["dataset", xcopa.id] = xcopa
    source = Hub()
    first = source.load(load_rows_spec("xcopa"), get_language("zh"), "test").origin.revision
    xcopa.branches["main"] = {
        **xcopa.branches["main"],
        "sw/test-00000-of-00001.parquet": layouts.parquet([layouts.xcopa("sw", 9)]),
    }
    xcopa.commits[xcopa.commit("main")] = xcopa.branches["main"]
    assert source.load(load_rows_spec("xcopa"), get_language("sw"), "test").origin.revision == first
    assert Hub().load(load_rows_spec("xcopa"), get_language("sw"), "test").origin.revision != first


def test_what_is_not_there_is_named_with_what_is(hub, tmp_path):
    def spec(**changes):
        path = tmp_path / "own.yaml"
        given = {"rows": "xcopa", "hub": "cambridgeltl/xcopa", "columns": {"premise": {}}, "splits": {"test": None}}
        given |= {"licence": "x", "provenance": "human", "citation": "x"} | changes
        path.write_text(json.dumps(given), encoding="utf-8")
        return parse_rows_spec(path)

    with pytest.raises(UnavailableError, match="has no configuration th"):
        Hub().load(spec(), get_language("th"), "test")
    with pytest.raises(UnavailableError, match="zh has no split dev") as told:
        Hub().load(spec(splits={"dev": None}), get_language("zh"), "dev")
    assert "It has test, validation." in str(told.value)
    with pytest.raises(UnavailableError, match="has no folder th/train") as told:
        Hub().load(spec(hub="MBZUAI/Bactrian-X", splits={"train": None}), get_language("th"), "train")
    assert "en/train" in str(told.value)


def test_a_definition_of_the_users_folder_takes_the_place_of_ours(tmp_path):
    (tmp_path / "rows").mkdir()
    text = (Path(__file__).parents[2] / "tasks/rows/xcopa.yaml").read_text(encoding="utf-8")
    (tmp_path / "rows/xcopa.yaml").write_text(text.replace("cambridgeltl/xcopa", "my/copy"), encoding="utf-8")
    try:
        include_rows([tmp_path])
        assert load_rows_spec("xcopa").hub == "my/copy"
        # Also where a task has a folder of its own with such a definition.
        assert load_rows_spec("xcopa", Path(__file__).parents[2] / "tasks").hub == "my/copy"
    finally:
        include_rows(())
    assert load_rows_spec("xcopa").hub == "cambridgeltl/xcopa"


@pytest.mark.parametrize("name", SHAPES)
def test_a_folder_with_the_hubs_own_files_gives_the_same_rows(hub, tmp_path, name):
    """What rule one source has, the other has: languages told by a column, splits of another name, types, adapted shapes."""
    spec, data = load_rows_spec(name), tmp_path / "data"
    wanted = {}
    source = Hub()
    for code, split in asked_of(name):
        language = get_language(code)
        found = source.files(spec, language, split)
        wanted[code, split] = source.load(spec, language, split)
        if len(found.files) > 1:
            # Shards of one table, joined as a user would join them: still with all languages in it.
            rows = [row for part in found.files for row in read_rows(found.snapshot.folder / part, spec)]
            place, content = data / name / f"{split}.parquet", layouts.parquet(rows)
        else:
            (part,) = found.files
            ending = "".join(Path(part).suffixes[-1:])
            place = data / name / str(spec.config_of(language) or code) / f"{spec.hub_splits.get(split, split)}{ending}"
            content = (found.snapshot.folder / part).read_bytes()
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    folder = Folder(data)
    for (code, split), rows in wanted.items():
        assert folder.has(spec, get_language(code), split)
        loaded = folder.load(spec, get_language(code), split)
        assert loaded.rows == rows.rows and loaded.origin.digest == rows.origin.digest


def test_a_folder_in_which_no_row_is_in_the_language_says_what_is(tmp_path):
    path = tmp_path / "aya/zho/train.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(layouts.aya("sw", 1)) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="no row is in Chinese; column 'language_code' has swa"):
        Folder(tmp_path).load(load_rows_spec("aya"), get_language("zh"), "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Question,A\nx,1,2\n", "line 2: 3 cells, the first line names 2 columns"),
        (b"A,A\nx,1\n", "line 1: a column is named twice"),
        (b"question,answer\nx,four\n", "column 'answer': expected int, found 'four'"),
        (b"question\n\xff\n", "not UTF-8 at byte 9"),
    ],
)
def test_tables_that_are_wrong(tmp_path, content, message):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_rows(path, load_rows_spec("kmmlu"))
