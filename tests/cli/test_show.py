"""What `lensbench show` prints at 80 columns and more: the answer first, and nothing is cut."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Here
from rich.cells import cell_len
from scored_run import write_run
from simulated_run import simulate
from truths import truth

import lensbench
from lensbench.api import TextTable
from lensbench.cli.layout import table_lines, wrapped
from lensbench.records import RunFolder
from lensbench.stages.results import write_results

OLD = Path(__file__).parents[1] / "support" / "old_run" / "lens"


def begun(folder: RunFolder, variants: list[str], languages: list[str]) -> Path:
    """With a spec, as `show` needs it, beside the records of a hand-made run."""
    from lensbench.spec import RunSpec, VariantChoice

    spec = RunSpec(
        lensbench="0",
        variants=tuple(VariantChoice(method="lens", name=name) for name in variants),
        backbone="b",
        languages=tuple(languages),
        tasks=(),
        profile="lens-paper",
        data="embedded",
    )
    folder.write_json("run.json", {"spec": spec.model_dump(mode="json"), "pinned": {}})
    return folder.path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two variants on two tasks and two target languages; `lens` is better by 20 points and `xsft` worse in English by 25."""
    home = tmp_path_factory.mktemp("show") / "run"
    gains = {"lens": {"targets": 0.2}, "xsft": {"en": -0.2}}
    folder = truth(home, gains, seed=3, items=200, languages=("en", "zh", "sw"), tasks=("xcopa", "xwinograd"))
    begun(folder, ["lens", "xsft"], ["zh", "sw"])
    write_results_of(folder)
    return home


def write_results_of(folder: RunFolder) -> None:
    from lensbench.numbers.results import collect_results
    from lensbench.stages.results import store_results

    store_results(folder, collect_results(folder))


def shown(here: Here, monkeypatch: pytest.MonkeyPatch, columns: int, *words: Any) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    code, said = here("show", *words)
    assert code == 0, said
    return said.splitlines()


def numbers(lines: list[str]) -> list[str]:
    return re.findall(r"[-+]?\d+\.\d+", " ".join(lines))


@pytest.mark.parametrize("columns", [80, 120])
def test_the_first_screen_of_a_small_run(columns: int, small: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every word and number beside what the results hold; the order of its parts; nothing wider than the terminal."""
    lines = shown(here, monkeypatch, columns, small)
    content = json.loads((small / "results.json").read_text(encoding="utf-8"))
    text = " ".join(" ".join(lines).split())
    order = ["Did it help?", "Did English suffer?", "Is it real?", "Difference to base", "accuracy by language", "lensbench show"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert max(map(cell_len, lines)) <= columns and "…" not in text
    assert "lens: better on the targets: accuracy" in text and "worse in English: accuracy" in text
    (lens,) = [a for a in content["averages"] if a["role"] == "endpoint" and a["variant"] == "lens"]
    percent = {name: f"{100 * lens[name]:+.1f}" for name in ("delta", "delta_low", "delta_high")}
    assert f"▲ {percent['delta']} [{percent['delta_low']}, {percent['delta_high']}]" in text
    (english,) = [a for a in content["averages"] if a["role"] == "english" and a["variant"] == "xsft"]
    row = next(line for line in lines if line.startswith("xsft ") and " worse" in line)
    assert numbers([row])[-2:] == [f"{100 * english['delta']:+.1f}", f"{100 * english['at_worst']:+.1f}"]
    for code in ("zh", "sw"):
        own = [a for a in content["averages"] if a["language"] == code and a["role"] == "language"]
        (average,) = [a for a in own if a["variant"] == "lens"]
        assert f"{100 * average['delta']:+.1f}" in text
    assert re.search(r"^variant +accuracy|^ +accuracy", "\n".join(lines), re.M)


@pytest.mark.parametrize("columns", [80, 120, 160])
def test_all_shows_every_number_once_folded(columns: int, small: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folding moves numbers and loses none: each cell's level, difference, interval and p stand in its row."""
    lines = shown(here, monkeypatch, columns, small, "--all")
    assert max(map(cell_len, lines)) <= columns and not any("…" in line for line in lines)
    start = next(place for place, line in enumerate(lines) if line.startswith("Cells"))
    rows = [line for line in lines[start:] if re.search(r"\b(base|lens|xsft)\b", line) and "[" in line]
    cells = json.loads((small / "results.json").read_text(encoding="utf-8"))["cells"]
    assert len(cells) == 18
    for cell, row in zip(cells, rows, strict=False):
        wanted = [f"{100 * cell[name]:.1f}" for name in ("value", "low", "high")]
        if cell["delta"] is not None:
            wanted += [f"{100 * cell[name]:+.1f}" for name in ("delta", "delta_low", "delta_high")]
            assert ("<0.001" if cell["p_value"] < 0.001 else f"{cell['p_value']:.3f}") in row
        assert cell["variant"] in row and numbers([row])[: len(wanted)] == wanted, row
    text = "\n".join(lines[start:])
    for part in ("Endpoints:", "English, difference to base", "Further averages", "Variants against each other"):
        assert part in text
    # Marks are verdicts, and a single cell has none.
    assert not any(mark in row for row in rows[:18] for mark in "▲▼≈")


@pytest.mark.parametrize("count", [1, 6, 40])
def test_no_line_is_cut_whatever_the_variants(count: int, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(count)
    names = [f"lens[start_layer={place},push_strength=0.25,seed=1234567,corpus=aya-and-bactrian-x]" for place in range(count)]
    scores = {
        (f"xcopa/{code}", name): (rng.random(30) < 0.5).astype(float) for code in ("en", "zh", "sw") for name in ("base", *names)
    }
    folder = write_run(tmp_path / "run", scores)
    begun(folder, names, ["zh", "sw"])
    write_results_of(folder)
    for words in ((), ("--all",)):
        lines = shown(here, monkeypatch, 80, folder.path, *words)
        assert max(map(cell_len, lines)) <= 80 and not any("…" in line for line in lines)
        whole = re.sub(r"\s+", "", "".join(lines))
        for name in names:
            assert name in whole


FOLDED = TextTable(
    ("task", "lang", "variant", "value", "95%", "note", "n"),
    [
        ("XCOPA", "zh", "base", "50.0", "[40.1, 59.9]", "", "100"),
        ("XCOPA", "zh", "lens", "56.0", "[46.0, 65.5]", "▲ +6.0", "100"),
        ("XCOPA", "sw", "lens", "7.5", "[3.6, 14.8]", "", "100"),
    ],
    "Some cells",
    right=frozenset({"value", "n"}),
    keys=3,
    blocks=1,
    common=frozenset({"n"}),
)


def test_the_layout_as_it_is_drawn() -> None:
    """Lines drawn by hand: in one table, in a block, and in two pieces."""
    assert [line.text for line in table_lines(FOLDED, 80)] == [
        "Some cells",
        "task   lang  variant  value  95%           note      n",
        "──────────────────────────────────────────────────────",
        "XCOPA  zh    base      50.0  [40.1, 59.9]          100",
        "             lens      56.0  [46.0, 65.5]  ▲ +6.0  100",
        "       sw    lens       7.5  [3.6, 14.8]           100",
    ]
    assert [line.text for line in table_lines(FOLDED, 45)] == [
        "Some cells",
        "XCOPA (n 100)",
        "lang  variant  value  95%           note",
        "──────────────────────────────────────────",
        "zh    base      50.0  [40.1, 59.9]",
        "      lens      56.0  [46.0, 65.5]  ▲ +6.0",
        "",
        "sw    lens       7.5  [3.6, 14.8]",
    ]
    assert [line.text for line in table_lines(FOLDED, 36)] == [
        "Some cells",
        "XCOPA (n 100)",
        "lang  variant  value  95%",
        "──────────────────────────────────",
        "zh    base      50.0  [40.1, 59.9]",
        "      lens      56.0  [46.0, 65.5]",
        "",
        "sw    lens       7.5  [3.6, 14.8]",
        "",
        "lang  variant  note",
        "─────────────────────",
        "zh    base",
        "      lens     ▲ +6.0",
        "",
        "sw    lens",
    ]


def test_a_table_that_is_folded_holds_every_cell() -> None:
    """Against the cells themselves: any width that has room for a character of each column."""
    rows = [[f"key{row}", *(f"v{row}.{place}" * (1 + place % 3) for place in range(9))] for row in range(4)]
    table = TextTable(["name", *(f"column {place}" for place in range(9))], rows, "A title", keys=1)
    for width in (200, 100, 60, 40, 30):
        lines = [line.text for line in table_lines(table, width)]
        assert max(map(cell_len, lines)) <= width
        said = re.sub(r"[\s─]+", "", "".join(lines))
        if width >= 60:
            assert all(cell in said for row in rows for cell in row)


def test_words_are_wrapped_and_wide_characters_counted() -> None:
    text = "汉字" * 30 + " and words after it"
    lines = wrapped(text, 20, first="  ", later="    ")
    assert max(map(cell_len, lines)) <= 20 and all(line.startswith("    ") for line in lines[1:])
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_an_old_run_says_that_it_has_no_endpoints(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(shutil.copytree(OLD, tmp_path / "old"))
    for name in ("items", "variants.json"):
        # Without records its stored numbers serve, of whatever version.
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    lines = shown(here, monkeypatch, 80, home)
    text = " ".join(" ".join(lines).split())
    assert "no endpoints" in text and "Cells, difference to base (exploratory" in text and "Did it help?" not in text
    assert not any(mark in text for mark in "▲▼≈") and max(map(cell_len, lines)) <= 80


def test_a_run_of_base_alone_shows_its_cells(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = simulate(tmp_path / "run", items=6, variants=("base",), languages=("en", "zh"), tasks=("xcopa",))
    write_results(folder)
    text = " ".join(shown(here, monkeypatch, 80, folder.path))
    assert "Only base was evaluated" in text and "XCOPA" in text


def test_the_margin_of_english_changes_what_is_said(small: Path, tmp_path: Path, here: Here) -> None:
    home = Path(shutil.copytree(small, tmp_path / "run"))
    run = lensbench.load(home)
    (before,) = [a for a in run.results["averages"] if a["role"] == "english" and a["variant"] == "lens"]
    loss = -100 * before["at_worst"]
    for margin, kept in ((loss + 0.5, "shown"), (max(loss - 0.5, 0.01), "not shown")):
        from lensbench.numbers.margins import keep_margins, parse_margins

        keep_margins(RunFolder(home), parse_margins(f"{margin}"))
        (after,) = [a for a in run.refresh().results["averages"] if a["role"] == "english" and a["variant"] == "lens"]
        assert after["retention"] == kept and after["margin"] == pytest.approx(margin / 100)


def test_results_sets_the_margin(tmp_path: Path, here: Here) -> None:
    folder = simulate(tmp_path / "run", items=6, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa",))
    write_results(folder)
    code, said = here("results", folder.path, "--english-margin", "accuracy=60,rating=0.2")
    assert code == 0 and "Did English suffer?" in said
    stored = json.loads((folder.path / "results.json").read_text(encoding="utf-8"))
    assert stored["margins"] == {"accuracy": 0.6, "language": 0.01, "rating": 0.2}
    assert "The margin is 60 points of accuracy" in (folder.path / "report.md").read_text(encoding="utf-8")
    code, said = here("results", folder.path, "--english-margin", "acuracy=2")
    assert code == 2 and "accuracy" in said and "Traceback" not in said


def test_a_bad_margin_is_refused_before_anything_runs(tmp_path: Path, here: Here) -> None:
    for bad in ("0", "-1", "two", "accuracy=", "speed=1"):
        out = tmp_path / "out"
        code, said = here(
            "run", "--backbone", "smollm2-135m", "--data", "embedded", "--tasks", "xcopa", "--out", out, "--english-margin", bad
        )
        assert code == 2 and "Traceback" not in said and not out.exists(), said


def test_the_plan_names_the_margin_and_the_folder_does_not_depend_on_it() -> None:
    plans = [lensbench.plan_run("smollm2-135m", tasks=["xcopa"], data="embedded", english_margin=m) for m in (None, "2", 3)]
    assert len({plan.out for plan in plans}) == 1
    assert [plan.margins["accuracy"] for plan in plans] == pytest.approx([0.01, 0.02, 0.03])
    assert "margin    accuracy=2,language=1,rating=0.1" in " ".join(plans[1].view().notes)
    with pytest.raises(lensbench.UsageError, match="english_margin"):
        lensbench.plan_run("smollm2-135m", tasks=["xcopa"], data="embedded", english_margin=["2"])  # type: ignore[arg-type]
