"""Three variants of one method in one run, from the fit to every view: each has its own settings, seed, weights and rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

SMALL = ("n_probe=8", "n_parallel=16", "warmup_ratio=0", "learning_rate=0.01")
OTHERS = ("--variant", "wide=lens:start_layer=2", "--variant", "lens:seed=1")
FOLDERS = {"lens": "lens", "wide": "wide", "lens[seed=1]": "lens-seed-1"}


def command(model: Path, *more: str | Path) -> list[str | Path]:
    settings = [word for value in SMALL for word in ("--set", value)]
    asked = ["-l", "zh", "--data", "embedded", "-t", "xcopa,multiq", "--limit", "3", "--max-new-tokens", "4"]
    return ["run", "-m", "lens", "-b", model, *settings, *asked, *more]


@pytest.fixture(scope="module")
def run(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("variants") / "run"
    done = cli(*command(tiny_model_dir, *OTHERS, "--out", out))
    assert done.returncode == 0, done.stderr
    return out


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_each_is_fitted_with_its_own_settings_and_seed(run: Path) -> None:
    cards = {name: read(run / "enhancements" / folder / "card.json") for name, folder in FOLDERS.items()}
    assert {name: (card["config"]["start_layer"], card["config"]["seed"]) for name, card in cards.items()} == {
        "lens": ("last:2", 42),
        "wide": (2, 42),
        "lens[seed=1]": ("last:2", 1),
    }
    assert [cards[name]["first_changed_layer"] for name in FOLDERS] == [2, 1, 2] and cards["wide"]["method"] == "lens"
    assert len({card["digest"] for card in cards.values()}) == 3
    tensors = {name: load_file(run / "enhancements" / folder / "delta.safetensors") for name, folder in FOLDERS.items()}
    assert set(tensors["lens"]) == set(tensors["lens[seed=1]"]) < set(tensors["wide"])
    assert any(not torch.equal(tensors["lens"][key], tensors["lens[seed=1]"][key]) for key in tensors["lens"])


def test_each_is_as_in_a_run_of_its_own(cli: Callable[..., Any], run: Path, tiny_model_dir: Path, tmp_path: Path) -> None:
    done = cli(*command(tiny_model_dir, "--seed", "1", "--out", tmp_path / "alone"))
    assert done.returncode == 0, done.stderr
    ours, alone = ({f.name: load_file(f) for f in (p / "enhancements").glob("*/delta.*")} for p in (run, tmp_path / "alone"))
    own = load_file(run / "enhancements" / "lens-seed-1" / "delta.safetensors")
    assert all(torch.equal(own[key], alone["delta.safetensors"][key]) for key in own) and ours


def test_results_and_report_hold_all(run: Path) -> None:
    results = read(run / "results.json")
    assert list(results["variants"]) == ["base", *FOLDERS] and set(results["costs"]) == set(FOLDERS)
    assert {n: (v["method"], v.get("seed")) for n, v in results["variants"].items()} == {
        "base": (None, None),
        "lens": ("lens", 42),
        "wide": ("lens", 42),
        "lens[seed=1]": ("lens", 1),
    }
    cells = [c for c in results["cells"] if c["metric"] == "acc"]
    assert [c["variant"] for c in cells].count("lens[seed=1]") == 2 and len(cells) == 8 and not results["missing"]
    assert len({c["signature"].partition("|e:")[2][:12] for c in cells}) == 4
    text = (run / "report.md").read_text(encoding="utf-8")
    assert all(name in text for name in FOLDERS) and "lens[seed=1]" in (run / "report.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in (run / "lm_eval").iterdir()) == ["base", "lens", "lens-seed-1", "wide"]
    assert [entry.get("name") for entry in read(run / "run.json")["spec"]["methods"]] == [None, "wide", "lens[seed=1]"]


def test_the_same_command_goes_on_and_another_setting_is_refused(
    cli: Callable[..., Any], run: Path, tiny_model_dir: Path
) -> None:
    before = {path: path.read_bytes() for name in ("items", "enhancements") for path in (run / name).rglob("*") if path.is_file()}
    done = cli(*command(tiny_model_dir, *OTHERS, "--out", run, "--resume"))
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in before} == before
    done = cli(*command(tiny_model_dir, "--variant", "wide=lens:start_layer=3", "--out", run))
    assert done.returncode == 2
    assert "variant wide, config.start_layer: 2 there, 3 here" in done.stderr
    assert "variant lens[seed=1]: there only" in done.stderr


def test_merge_writes_the_one_that_is_named(cli: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    done = cli("merge", run, "--to", tmp_path / "none")
    assert done.returncode == 2 and "The run has: lens, wide, lens[seed=1]." in done.stderr
    done = cli("merge", run, "--variant", "lens[seed=1]", "--to", tmp_path / "merged")
    assert done.returncode == 0, done.stderr
    told = read(tmp_path / "merged" / "lensbench.json")
    assert told["variant"] == "lens[seed=1]" and told["card"]["config"]["seed"] == 1
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    delta = load_file(run / "enhancements" / "lens-seed-1" / "delta.safetensors")
    assert delta and all(torch.equal(merged[name], tensor) for name, tensor in delta.items())


def test_compare_takes_two_of_one_run(cli: Callable[..., Any], run: Path) -> None:
    done = cli("compare", run, run, "--variant", "lens", "--with", "lens[seed=1]")
    assert done.returncode == 0, done.stderr
    assert "lens[seed=1]" in done.stdout


def test_tables_have_a_row_each(cli: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    rows = {}
    for table in ("bilingual", "settings", "cost"):
        done = cli("table", table, run, "--format", "csv")
        assert done.returncode == 0, f"{table}: {done.stderr}"
        rows[table] = done.stdout
    assert all("LENS[seed=1]" in rows[table] and "wide" in rows[table] for table in ("bilingual", "cost"))
    settings = [line for line in rows["settings"].splitlines() if "First trained block" in line]
    assert [line.endswith(",,3,3,") for line in settings] == [True, False, True]
    assert "Zh: wide" in settings[1] and settings[1].endswith(",,2,2,") and "Zh: lens[seed=1]" in settings[2]


def test_figures_sweep_over_the_variants_of_one_run(cli: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = cli("figure", "ablation", run, "--out", tmp_path / "a.pdf")
    assert done.returncode == 0, done.stderr
    from lensbench.numbers.run_results import read_results
    from lensbench.records import RunFolder
    from lensbench.reporting.figures.sweeps import find_sweeps, read_settings
    from lensbench.reporting.run_view import RunView

    runs = [RunView(RunFolder.existing(run), read_results(read(run / "results.json")))]
    settings = read_settings(runs)
    assert {s.field: [(value, variant) for value, _, variant in s.points] for s in find_sweeps(settings)} == {
        "start_layer": [(2, "wide"), ("last:2", "lens"), ("last:2", "lens[seed=1]")]
    }
    assert [s.variant for s in read_settings(runs, "wide")] == ["wide"]
    assert [s.variant for s in read_settings(runs, "lens")] == list(FOLDERS)


def test_states_are_projected_under_the_variants_name(cli: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    done = cli("project", run, "--variant", "lens[seed=1]", "--data", "embedded", "--limit", "4")
    assert done.returncode == 0, done.stderr
    found = read(run / "projections" / "lens-seed-1.json")
    assert found["variant"] == "lens[seed=1]" and {of for of, _ in found["states"]} == {"base", "lens[seed=1]"}
    done = cli("figure", "pca", run, "--out", tmp_path / "p.pdf")
    assert done.returncode == 0, done.stderr


def test_one_that_fails_leaves_the_others(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    wild = ("--variant", "wild=lens:learning_rate=1e30,epochs=3")
    done = cli(*command(tiny_model_dir, *wild, "--out", out))
    assert done.returncode == 1 and "wild could not be fitted" in done.stderr
    results = read(out / "results.json")
    assert list(results["variants"]) == ["base", "lens"] and list(results["failed"]) == ["wild"] and not results["missing"]


def test_a_run_of_the_last_version_goes_on(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    """As 0.1 wrote it: variants without `seed`, entries of `methods` without a name."""
    out = tmp_path / "run"
    done = cli(*command(tiny_model_dir, "--out", out))
    assert done.returncode == 0, done.stderr
    about = read(out / "variants.json")
    for variant in about["variants"].values():
        variant.pop("seed", None)
    (out / "variants.json").write_text(json.dumps(about))
    assert all(set(entry) == {"method", "config"} for entry in read(out / "run.json")["spec"]["methods"])
    scores = (out / "items" / "score.jsonl").read_bytes()
    done = cli(*command(tiny_model_dir, "--out", out, "--resume"))
    assert done.returncode == 0, done.stderr
    assert (out / "items" / "score.jsonl").read_bytes() == scores
