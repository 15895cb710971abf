"""Finished work of earlier runs: the records with the store are those without it, and nothing is computed twice."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Cli, save_tiny_model
from safetensors.torch import load_file

import lensbench as lb
from lensbench.backbones.lazy import LazyBackbone
from lensbench.errors import UsageError
from lensbench.methods import load_method
from lensbench.progress import SilentProgress
from lensbench.reuse import held, key_of_content, package_code, store_folder
from lensbench.reuse.environment import environment
from lensbench.stages import reuse as reuse_module

STAGES = ("items", "score", "answers", "identified")
SMALL: dict[str, Any] = {"tasks": ["xcopa", "multiq"]}
LENS = {"n_probe": 8, "n_parallel": 16, "warmup_ratio": 0, "learning_rate": 0.01}


class Listening(SilentProgress):
    """What is said of the store."""

    @property
    def said(self) -> list[str]:
        return self.notes

    def of_cache(self) -> list[str]:
        return [text for text in self.said if "cache" in text]


class Bench:
    """Runs of one tiny model that share a store."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.work: Counter[str] = Counter()

    def run(self, name: str, **changes: Any) -> Listening:
        progress = Listening()
        choices: dict[str, Any] = {
            "methods": [lb.Lens(**LENS), lb.Incline(n_pairs=16)],
            "tasks": ["xcopa", "multiq", "open_questions@mt-bench"],
            "data": "embedded",
            "limit": 3,
            "max_new_tokens": 5,
            "identifier": "lid176@0",
            **changes,
        }
        self.work.clear()
        lb.evaluate(str(self.model), out=self.folder / name, progress=progress, **choices)
        return progress

    def records(self, name: str, stage: str) -> dict[str, str]:
        """Key -> line as it is written, without the clock."""
        found = {}
        for line in (self.folder / name / "items" / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            record.pop("seconds", None)
            found[record["key"]] = json.dumps(record)
        return found

    def same(self, one: str, other: str) -> None:
        for stage in STAGES:
            expected = self.records(other, stage)
            assert expected and self.records(one, stage) == expected, stage
        mine, theirs = (json.loads((self.folder / name / "results.json").read_text()) for name in (one, other))
        assert mine["cells"] == theirs["cells"] and mine["averages"] == theirs["averages"]

    def reused(self, name: str) -> dict[str, int]:
        return dict(json.loads((self.folder / name / "provenance.json").read_text())["starts"][-1].get("reused", {}))


@pytest.fixture(scope="module")
def filled(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the work of one run, to be copied."""
    folder = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LENSBENCH_CACHE", str(folder / "cache"))
        patch.delenv("LENSBENCH_CACHE_SIZE")
        Bench(tiny_model_dir, folder).run("first", **SMALL)
    return folder / "cache"


@pytest.fixture
def bench(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LENSBENCH_CACHE_SIZE")
    made = Bench(tiny_model_dir, tmp_path)
    loaded = LazyBackbone.loaded

    def counted_load(self: LazyBackbone) -> Any:
        made.work["weights"] += 1
        return loaded(self)

    monkeypatch.setattr(LazyBackbone, "loaded", counted_load)
    for name in ("lens", "incline"):
        kind = type(load_method(name))
        fit = kind.fit

        def counted_fit(self: Any, *args: Any, own: Any = fit, **kwargs: Any) -> Any:
            made.work["fits"] += 1
            return own(self, *args, **kwargs)

        monkeypatch.setattr(kind, "fit", counted_fit)
    forward = torch.nn.Linear.forward

    def counted_forward(self: torch.nn.Linear, states: torch.Tensor) -> torch.Tensor:
        made.work["products"] += 1
        return forward(self, states)

    # Every pass of every engine and every fit multiplies by a weight.
    monkeypatch.setattr(torch.nn.Linear, "forward", counted_forward)
    yield made


SCORES = 3 * 2 * 3
ANSWERS = 3 * 2 * (3 + 2 * 3)
"""Three variants, two languages, three items; two turns of the second set of questions."""


def test_a_second_run_computes_nothing_and_has_the_same_records(bench: Bench) -> None:
    assert bench.run("first").of_cache() == [] and bench.work["fits"] == 2 and bench.work["products"] > 0
    said = bench.run("second")
    assert bench.work == Counter(), "a fit, a pass or a loading of weights"
    bench.same("second", "first")
    assert bench.reused("first") == {}
    everything = {"scores": SCORES, "answers": ANSWERS, "identified": 3 * 2 * 6, "fits": 2}
    assert bench.reused("second") == everything
    assert said.of_cache() == [
        f"cache: 2 of 2 fits are those of {bench.folder / 'first'}",
        f"cache: taken {SCORES} scores, {ANSWERS} answers, 36 identified conversations, 2 fits",
    ]
    # Without the store all of it is computed, with the same bits.
    assert bench.run("without", cache=False).of_cache() == [] and bench.work["fits"] == 2 and bench.reused("without") == {}
    bench.same("second", "without")
    assert "cache: false" in (bench.folder / "without" / "run.yaml").read_text()
    # The same command again goes on in its own folder, and takes nothing.
    assert bench.run("second").of_cache() == [] and bench.reused("second") == {}
    assert [start.get("reused") for start in json.loads((bench.folder / "second/provenance.json").read_text())["starts"]] == [
        everything,
        None,
    ]


def test_the_cost_is_that_of_the_real_fit_and_says_so(bench: Bench) -> None:
    bench.run("first", methods=[lb.Lens(**LENS)], tasks=["xcopa"])
    bench.run("second", methods=[lb.Lens(**LENS)], tasks=["xcopa"])
    homes = [bench.folder / name / "enhancements" / "lens" for name in ("first", "second")]
    first, second = (json.loads((home / "card.json").read_text()) for home in homes)
    assert second == {**first, "reused_from": "first/enhancements/lens"} and str(bench.folder) not in json.dumps(second)
    assert len({(home / "delta.safetensors").stat().st_ino for home in homes}) == 1, "a link"
    run = lb.load(bench.folder / "second")
    assert run.results["costs"]["lens"] == {**first["cost"], "reused_from": "first/enhancements/lens"}
    text = str(run.answer())
    assert "by an earlier run" in (bench.folder / "second" / "report.md").read_text() and "by an earlier run" in text
    assert "by an earlier run" not in (bench.folder / "first" / "report.md").read_text()


def test_one_more_setting_of_lens_reads_no_row_again(bench: Bench) -> None:
    common: dict[str, Any] = {"methods": [], "tasks": ["xcopa"], "english": False}
    bench.run("first", **common, sweep={"lens.push_strength": [0.5, 1]}, overrides=_overrides())
    said = bench.run("second", **common, sweep={"lens.push_strength": [2]}, overrides=_overrides())
    taken = bench.reused("second")
    # Eight probing texts and sixteen prompts in two languages; some of them may be alike.
    assert 0 < taken["states"] <= 2 * (8 + 16) and bench.work["fits"] == 1 and "fits" not in taken
    assert any("rows of states" in text for text in said.of_cache())
    shared = bench.work["products"]
    bench.run("anew", **common, sweep={"lens.push_strength": [2]}, overrides=_overrides(), cache=False)
    assert bench.work["products"] > shared
    card = json.loads(next((bench.folder / "second" / "enhancements").glob("*/card.json")).read_text())
    assert 0 < card["cost"]["cached_seconds"] < card["cost"]["wall_seconds"]
    # A first trained block that no earlier run had needs the states in front of it.
    bench.run("third", **common, sweep={"lens.start_layer": [2]}, overrides=_overrides())
    assert 0 < bench.reused("third")["states"] <= 2 * 8 + 2 * 16


def test_a_damaged_row_of_states_is_read_again_and_said(bench: Bench) -> None:
    common: dict[str, Any] = {"methods": [], "tasks": ["xcopa"], "english": False, "overrides": _overrides()}
    bench.run("first", **common, sweep={"lens.push_strength": [0.5]})
    path = next((store_folder() / "states").glob("*/*.json"))
    path.write_bytes(path.read_bytes()[:-3])
    said = bench.run("second", **common, sweep={"lens.push_strength": [2]})
    assert any("an entry of states is damaged" in text for text in said.of_cache())
    bench.run("anew", **common, sweep={"lens.push_strength": [2]}, cache=False)
    one, other = (
        load_file(next((bench.folder / name / "enhancements").glob("*/delta.safetensors"))) for name in ("second", "anew")
    )
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=2e-4, rtol=1e-3)


def _overrides() -> list[str]:
    return [f"lens.{key}={value}" for key, value in LENS.items()]


def test_one_more_variant_costs_one_variant_whatever_the_others_are_called(bench: Bench) -> None:
    small = {"methods": [], "tasks": ["xcopa", "multiq"]}
    settings = {"rank": 1, **LENS}
    bench.run("two", **small, variants={"a": lb.Lens(seed=1, **settings), "b": lb.Lens(seed=2, **settings)})
    more = {"left": lb.Lens(seed=2, **settings), "new": lb.Lens(seed=3, **settings), "a": lb.Lens(seed=1, **settings)}
    bench.run("three", **small, variants=more)
    assert bench.work["fits"] == 1
    # `base`, `a` and what is called `left` now; 3 items in 2 languages each.
    taken = bench.reused("three")
    # Seeds share the rows that are read together in both.
    taken.pop("states", None)
    assert taken == {"scores": 18, "answers": 18, "identified": 18, "fits": 2}
    bench.run("three-anew", **small, variants=more, cache=False)
    bench.same("three", "three-anew")


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"batch_size": 2}, {"identified", "fits"}),
        ({"dtype": "bfloat16"}, {"identified"}),
        ({"limit": 2}, {"fits"}),
        ({"seed": 7}, {"scores", "answers", "identified", "states"}),
        ({"max_new_tokens": 3}, {"scores", "fits"}),
        ({"engine": "reference"}, {"identified", "fits"}),
        ({"identifier": "lid176@0.1"}, {"scores", "answers", "fits"}),
        ({"languages": ["ja"]}, {"scores", "answers", "identified", "states"}),
        ({"methods": [lb.Lens(**{**LENS, "n_probe": 9})]}, {"scores", "answers", "identified", "states"}),
        ({"methods": [lb.Lens(**{**LENS, "push_strength": 2})]}, {"scores", "answers", "identified", "states"}),
        ({"system": "Be brief."}, {"scores"}),
        ({"english_margin": 2}, {"scores", "answers", "identified", "fits"}),
    ],
)
def test_whatever_changes_a_result_is_a_miss(bench: Bench, filled: Path, change: dict[str, Any], kept: set[str]) -> None:
    shutil.copytree(filled, bench.folder / "cache")
    bench.run("changed", **{**SMALL, "methods": [lb.Lens(**LENS)], **change})
    if bench.reused("changed"):
        bench.run("changed-anew", **{**SMALL, "methods": [lb.Lens(**LENS)], **change}, cache=False)
        bench.same("changed", "changed-anew")
    assert set(bench.reused("changed")) <= kept
    if kept == {"scores", "answers", "identified", "fits"}:
        assert set(bench.reused("changed")) == kept


def test_other_weights_are_a_miss(bench: Bench) -> None:
    bench.run("first", methods=[], tasks=["xcopa"])
    bench.model = save_tiny_model(bench.folder / "other", seed=1)
    bench.run("second", methods=[], tasks=["xcopa"])
    assert bench.reused("second") == {}


def test_damaged_entries_are_computed_again_and_said(bench: Bench) -> None:
    bench.run("first")
    files = [path for path in store_folder().rglob("*.json") if path.parts[-3] != "fits"]
    kinds = Counter(path.parts[-3] for path in files)
    for path in files:
        raw = path.read_bytes()
        path.write_bytes(raw[: len(raw) // 2])
    said = bench.run("second")
    bench.same("second", "first")
    assert bench.reused("second") == {"fits": 2} and bench.work["products"] > 0
    told = Counter(text.partition("an entry of ")[2].partition(" ")[0] for text in said.said if "is damaged" in text)
    # The fits are there, so nobody looks for the states that they read.
    assert kinds.pop("states") > 0
    assert told == kinds and set(kinds) == {"scores", "answers", "identified", "noise"}
    bench.run("third")
    assert bench.work == Counter() and bench.reused("third")["answers"] == ANSWERS


def test_an_entry_with_another_content_is_damaged_too(bench: Bench) -> None:
    """Its digest is right; what it holds is not what a run needs."""
    from lensbench.reuse.entry import entry_bytes, read_entry, read_header

    bench.run("first", methods=[lb.Lens(**LENS)])
    changes: dict[str, Any] = {
        "scores": lambda content: [*content[:-1], content[-1][:-1]],
        "answers": lambda content: [[{**turn, "text": 5} for turn in turns] for turns in content],
        "identified": lambda content: content[:-1],
        "fits": lambda content: {**content, "files": {"../../evil": "0"}},
        "noise": lambda content: "nan",
    }
    for path in store_folder().rglob("*.json"):
        head = read_header(path)
        content = b"{}" if head.kind == "states" else changes[head.kind](read_entry(path, head.kind, head.key))
        path.write_bytes(entry_bytes(head.kind, head.key, head.backbone, head.count, content))
    said = bench.run("second", methods=[lb.Lens(**LENS)])
    bench.same("second", "first")
    assert bench.reused("second") == {} and not (bench.folder / "second" / "evil").exists()
    for words in (
        "one score for each request",
        "an answer to each turn",
        "a label of each answer",
        "say where the fit is",
        "entry of states",
    ):
        assert any(words in text for text in said.said), words


def test_a_store_that_cannot_be_written_ends_nothing(bench: Bench) -> None:
    store_folder().parent.mkdir(parents=True, exist_ok=True)
    store_folder().write_text("no folder")
    said = bench.run("first")
    assert len(said.of_cache()) == 1 and "finished work is not kept" in said.of_cache()[0]
    assert (bench.folder / "first" / "results.json").is_file()


def test_a_fit_that_is_gone_or_changed_is_made_again(bench: Bench) -> None:
    small: dict[str, Any] = {"methods": [lb.Lens(**LENS)], "tasks": ["xcopa"]}
    bench.run("first", **small)
    bench.run("second", **small)
    shutil.rmtree(bench.folder / "first")
    # The second run has it as well.
    bench.run("third", **small)
    assert bench.work["fits"] == 0 and bench.reused("third")["fits"] == 1
    for name in ("second", "third"):
        path = bench.folder / name / "enhancements" / "lens" / "delta.safetensors"
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.unlink()
        path.write_bytes(raw)
    said = bench.run("fourth", **small)
    assert bench.work["fits"] == 1 and "fits" not in bench.reused("fourth")
    told = [text for text in said.said if "is fitted again" in text]
    assert len(told) == 1 and "it is gone" in told[0] and told[0].count("delta.safetensors has changed") == 2
    # The one that was fitted anew is known from now on, though the others still stand before it.
    bench.run("fifth", **small)
    assert bench.work["fits"] == 0


def test_what_was_finished_before_a_stop_is_known(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.engines.tree.engine import TreeEngine

    score = TreeEngine.score

    def stopped(self: TreeEngine, requests: Any, variants: Any, wanted: Any) -> Any:
        if requests.language == "zh":
            raise KeyboardInterrupt
        return score(self, requests, variants, wanted)

    small: dict[str, Any] = {"methods": [], "tasks": ["xcopa"]}
    with monkeypatch.context() as patch:
        patch.setattr(TreeEngine, "score", stopped)
        with pytest.raises(KeyboardInterrupt):
            bench.run("first", **small)
    assert [one.count for one in held(store_folder()) if one.kind == "scores"] == [3]
    bench.run("other", **small)
    assert bench.reused("other") == {"scores": 3}
    # A start that goes on keeps what the start before it scored, as long as both compute in the same way.
    shutil.rmtree(store_folder())
    bench.run("first", **small)
    assert [one.count for one in held(store_folder()) if one.kind == "scores"] == [6]


def test_records_of_a_start_that_computed_otherwise_are_not_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    small: dict[str, Any] = {"methods": [], "tasks": ["xcopa"]}
    bench.run("first", **small)
    lines = (bench.folder / "first/items/score.jsonl").read_text().splitlines(keepends=True)
    (bench.folder / "first/items/score.jsonl").write_text("".join(lines[:-1]))
    shutil.rmtree(store_folder())
    digest = reuse_module.environment_parts

    monkeypatch.setattr(reuse_module, "environment_parts", lambda *args: {**digest(*args), "packages": {"torch": "0"}})
    bench.run("first", **small)
    # The task whose record was missing is not whole under the new packages, and the other one was made with the old ones.
    assert [one for one in held(store_folder()) if one.kind == "scores"] == []


def test_an_engine_that_is_not_repeatable_takes_no_part(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse_module, "_REPEATABLE", ("reference",))
    said = [bench.run(name, methods=[lb.Lens(**LENS)], tasks=["xcopa"]) for name in ("first", "second")]
    assert bench.reused("second") == {"fits": 1}
    assert "cache: scores and answers of engine tree take no part in it" in said[0].said


def test_a_method_whose_code_is_not_known_takes_no_part(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("reuse", "reused_fits", "kept_states"):
        monkeypatch.setattr(f"lensbench.stages.{module}.method_code", lambda name: None)
    said = [bench.run(name, methods=[lb.Lens(**LENS)], tasks=["xcopa"]) for name in ("first", "second")]
    taken = bench.reused("second")
    assert taken == {"scores": 6}, "those of the backbone"
    assert any("the code of method lens is not known" in text for text in said[0].said)


def test_the_code_of_a_package_is_all_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.reuse.environment import code_of

    home = tmp_path / "some_plugin_xyz"
    home.mkdir()
    (home / "__init__.py").write_text("")
    (home / "deep.py").write_text("STRENGTH = 1\n")
    (tmp_path / "one_file_xyz.py").write_text("x = 1\n")
    (tmp_path / "namespace_xyz").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    def now(module: str) -> str | None:
        code_of.cache_clear()
        return package_code(module)

    before = now("some_plugin_xyz.deep:METHOD")
    assert before == now("some_plugin_xyz") is not None
    (home / "deep.py").write_text("STRENGTH = 2\n")
    assert now("some_plugin_xyz.deep:METHOD") not in (before, None)
    alone = now("one_file_xyz:METHOD")
    (tmp_path / "one_file_xyz.py").write_text("x = 2\n")
    assert alone is not None and now("one_file_xyz:METHOD") not in (alone, None)
    assert now("namespace_xyz.inner:METHOD") is None and now("no_such_package_xyz:METHOD") is None
    assert "some_plugin_xyz" not in sys.modules, "nothing is imported"


def test_the_environment_has_threads_only_where_the_user_fixed_them(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    fixed = environment(cpu, torch.float32)
    monkeypatch.delenv("OMP_NUM_THREADS")
    free = environment(cpu, torch.float32)
    assert fixed["threads"] == torch.get_num_threads() and free["threads"] is None
    assert key_of_content(fixed) != key_of_content(free) != key_of_content(environment(cpu, torch.bfloat16))
    assert free["packages"]["torch"] == importlib.metadata.version("torch") and free["code"]


def test_a_wrong_size_is_refused_before_anything_is_done(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENSBENCH_CACHE_SIZE", "much")
    with pytest.raises(UsageError) as caught:
        bench.run("first")
    assert "LENSBENCH_CACHE_SIZE is 'much'" in str(caught.value) and not (bench.folder / "first").exists()


def test_several_ranks_read_and_fill_the_same_store(bench: Bench, cli: Cli) -> None:
    small = ["-l", "zh", "--data", "embedded", "-t", "xcopa,multiq", "--limit", "4", "--batch-size", "2", "--max-new-tokens", "4"]

    def words(name: str, *more: str) -> list[str]:
        out = str(bench.folder / name)
        return ["run", "-b", str(bench.model), *small, "--identifier", "lid176", "--out", out, *more]

    env = {"LENSBENCH_CACHE_SIZE": "1GB"}
    done = cli(*words("pair", "--data-parallel", "2"), env=env)
    assert done.returncode == 0, done.stderr
    alone = cli(*words("alone"), env=env)
    assert alone.returncode == 0 and bench.reused("alone") == {"scores": 8, "answers": 8, "identified": 8}, alone.stderr
    bench.same("alone", "pair")
    # Only a part is known: the rest is divided among the ranks.
    for path in (store_folder() / "answers").rglob("*.json"):
        path.unlink()
    more = ("--data-parallel", "2", "-t", "xcopa,multiq,xstory_cloze")
    done = cli(*words("wider", *more), env=env)
    assert done.returncode == 0 and bench.reused("wider") == {"scores": 8, "identified": 8}, done.stderr
    anew = cli(*words("wider-anew", "-t", "xcopa,multiq,xstory_cloze", "--no-cache"), env=env)
    assert anew.returncode == 0 and bench.reused("wider-anew") == {}, anew.stderr
    bench.same("wider", "wider-anew")
