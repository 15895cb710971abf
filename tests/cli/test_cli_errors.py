"""Every mistake a user can make at the command line: the right exit code, a message that says where, and never a traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_rows import small_file, write_small_data

Result = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Place:
    """Where a case finds things, and a folder of its own for what it breaks."""

    model: Path
    data: Path
    own: Path

    @property
    def out(self) -> Path:
        return self.own / "out"

    def run(self, *more: str | Path, **changes: str | Path | None) -> list[str | Path]:
        """The arguments of a run that would work, changed."""
        options: dict[str, str | Path | None] = {
            "backbone": self.model,
            "data": self.data,
            "languages": "zh",
            "tasks": "xcopa",
            "device": "cpu",
            "out": self.out,
            **changes,
        }
        return ["run", *(part for name, value in options.items() if value is not None for part in (f"--{name}", value)), *more]

    def lens(self, *settings: str, **changes: str | Path | None) -> list[str | Path]:
        small = ("n_probe=null", "n_parallel=null", *settings)
        return self.run(*(part for s in small for part in ("--set", s)), **{"method": "lens", **changes})

    def rows(self, rows: str, language: str, change: Callable[[list[str]], list[str]], encoding: str = "utf-8") -> Path:
        """A copy of the data folder with one file changed; returns the folder."""
        folder = self.own / "data"
        shutil.copytree(self.data, folder)
        path = small_file(folder, rows, language)
        path.write_text("\n".join(change(path.read_text(encoding="utf-8").splitlines())) + "\n", encoding=encoding)
        return folder

    def write(self, name: str, text: str) -> Path:
        path = self.own / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


@dataclass(frozen=True)
class Case:
    name: str
    args: Callable[[Place], list[str | Path]]
    code: int
    says: tuple[str, ...]
    """What stderr must hold; {own}, {model} and {data} stand for paths."""


def row(number: int, **changes: Any) -> Callable[[list[str]], list[str]]:
    """Change one row (counted from 1); a value of None takes the column out."""

    def change(lines: list[str]) -> list[str]:
        content = {**json.loads(lines[number - 1]), **changes}
        lines[number - 1] = json.dumps({k: v for k, v in content.items() if v is not None}, ensure_ascii=False)
        return lines

    return change


def ragged(lines: list[str]) -> list[str]:
    return [*lines[:2], lines[2][:-5], *lines[3:]]


def pickled_model(place: Place) -> Path:
    folder = place.own / "pickled"
    shutil.copytree(place.model, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    return folder


def cut_model(place: Place) -> Path:
    folder = place.own / "cut"
    shutil.copytree(place.model, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    return folder


def equal_probing(place: Place) -> Path:
    english = small_file(place.data, "aya", "en").read_text(encoding="utf-8").splitlines()
    texts = [{k: v for k, v in json.loads(line).items() if k in ("inputs", "targets")} for line in english]
    return place.rows("aya", "zh", lambda lines: [json.dumps(text) for text in texts])


def function_task(place: Place) -> Path:
    place.write("tasks/mine.py", "open('was-run', 'w')\ndef ask(doc):\n    return doc['premise']\n")
    lines = ["task: mine_zh", "dataset_path: some/rows", "test_split: test", "doc_to_text: !function mine.ask"]
    return place.write("tasks/mine.yaml", "\n".join(lines) + "\n").parent


HUB = "someone/a-model-of-theirs"
CASES = (
    # names
    Case("command", lambda p: ["rum"], 2, ("no command 'rum'", "'run'")),
    Case("option", lambda p: p.run("--langauges", "zh"), 2, ("--langauges", "--languages")),
    Case("method", lambda p: p.run(method="lenss"), 2, ("unknown method 'lenss'", "Did you mean 'lens'?")),
    Case("backbone", lambda p: p.run(backbone="smolm2-135"), 2, ("unknown backbone 'smolm2-135'", "'smollm2-135m'")),
    Case("backbone path", lambda p: p.run(backbone="./no/such"), 2, ("no model folder at no/such",)),
    Case("task", lambda p: p.run(tasks="xcopaa"), 2, ("unknown task 'xcopaa'", "Did you mean 'xcopa'?")),
    Case("language", lambda p: p.run(languages="zhh"), 2, ("unknown language 'zhh'", "Did you mean 'zh'?")),
    Case("language of others", lambda p: p.run(languages="zh,jp"), 2, ("unknown language 'jp'", "Japanese is 'ja' here")),
    Case("profile", lambda p: p.run(profile="lm_eval"), 2, ("unknown profile 'lm_eval'", "Did you mean 'lm-eval'?")),
    Case("listing", lambda p: ["ls", "task"], 2, ("unknown listing 'task'", "Did you mean 'tasks'?")),
    Case(
        "key by --set",
        lambda p: p.lens("push_strenght=1"),
        2,
        ("method 'lens'", "unknown key 'push_strenght'", "did you mean 'push_strength'?"),
    ),
    Case(
        "key by --config",
        lambda p: p.run("--config", p.write("c.yaml", "epochs: 1\n\nlerning_rate: 1.0e-5\n"), method="lens"),
        2,
        ("{own}/c.yaml, line 3: unknown key 'lerning_rate'", "did you mean 'learning_rate'?"),
    ),
    # values
    Case("value by --set", lambda p: p.lens("epochs=many"), 2, ("epochs", "integer")),
    Case(
        "value by --config",
        lambda p: p.run("--config", p.write("c.yaml", "rank: 1\nepochs: -1\n"), method="lens"),
        2,
        ("{own}/c.yaml, line 2: epochs", "greater than or equal to 1"),
    ),
    Case("--set without =", lambda p: p.lens("epochs"), 2, ("--set takes key=value, found 'epochs'",)),
    Case(
        "no --config file", lambda p: p.run("--config", p.own / "none.yaml", method="lens"), 2, ("{own}/none.yaml: no such file",)
    ),
    Case(
        "broken --config",
        lambda p: p.run("--config", p.write("c.yaml", "rank: 1\nepochs: [1\n"), method="lens"),
        2,
        ("{own}/c.yaml, line ",),
    ),
    Case("limit", lambda p: p.run("--limit", "0"), 2, ("--limit must be at least 1, found 0",)),
    Case("rank", lambda p: p.lens("rank=2"), 2, ("rank 2 is out of range", "from 1 to 1")),
    Case("start layer", lambda p: p.lens("start_layer=5"), 2, ("start_layer 5 is outside the model's 4 blocks",)),
    Case("dtype", lambda p: p.run("--dtype", "float7"), 2, ("unknown dtype 'float7'", "float32")),
    Case("device", lambda p: p.run(device="cdua"), 2, ("--device cdua cannot be used here",)),
    # what is not there
    Case(
        "language of the task",
        lambda p: p.run(tasks="xwinograd", languages="th"),
        2,
        ("task 'xwinograd' has none of the target languages th", "xwinograd has no 'th' (it has ar, bn, en"),
    ),
    Case("data folder", lambda p: p.run(data="no-such-folder"), 2, ("no data folder at no-such-folder", "--data embedded")),
    Case(
        "hub model",
        lambda p: p.run(backbone=HUB),
        1,
        (f"could not get hub model {HUB}: HF_HUB_OFFLINE is set", "lensbench fetch", "Give a model folder: --backbone PATH"),
    ),
    Case("hub rows", lambda p: p.run(data=None), 1, ("could not get cambridgeltl/xcopa (config zh, split test)", "--data DIR")),
    Case(
        "only pickled weights",
        lambda p: p.run(backbone=pickled_model(p)),
        1,
        ("{own}/pickled holds no .safetensors weights", "Pickled weights are not read"),
    ),
    Case("cut weights", lambda p: p.run(backbone=cut_model(p)), 1, ("could not load {own}/cut",)),
    Case("run to go on with", lambda p: p.run("--resume"), 2, ("--resume: no run at {own}/out",)),
    Case("run to show", lambda p: ["show", p.out], 2, ("no run at {own}/out",)),
    # rows
    Case(
        "missing column",
        lambda p: p.run(data=p.rows("xcopa", "zh", row(3, choice2=None))),
        2,
        ("{own}/data/xcopa/zh/test.jsonl, row 3: column 'choice2' is missing", "Found columns: premise, choice1, question"),
    ),
    Case(
        "label code",
        lambda p: p.run(data=p.rows("xcopa", "zh", row(2, label=2))),
        2,
        ("{own}/data/xcopa/zh/test.jsonl, row 2, column 'label': label 2 is none of [0, 1]",),
    ),
    Case(
        "ragged line",
        lambda p: p.run(data=p.rows("xcopa", "zh", ragged)),
        2,
        ("{own}/data/xcopa/zh/test.jsonl, line 3: not JSON",),
    ),
    Case(
        "encoding",
        lambda p: p.run(data=p.rows("xcopa", "zh", lambda lines: lines, "gb18030")),
        2,
        ("{own}/data/xcopa/zh/test.jsonl, line 1: not UTF-8 at byte",),
    ),
    # corpora and training
    Case("probing texts", lambda p: p.lens("n_probe=13"), 2, ("13 probing texts in English were requested, {data} has 12",)),
    Case(
        "parallel prompts", lambda p: p.lens("n_parallel=25"), 2, ("25 prompts parallel in en, zh were requested, {data} has 24",)
    ),
    Case(
        "collinear means",
        lambda p: p.lens(data=equal_probing(p)),
        1,
        ("the language means are collinear", "Two languages may have the same probing texts"),
    ),
    Case(
        "divergence",
        lambda p: p.lens("learning_rate=1e30", "batch_size=2"),
        1,
        ("training diverged: the ", "is not finite at step "),
    ),
    # code
    Case(
        "!function",
        lambda p: p.run("--include-path", function_task(p), tasks="mine_zh"),
        2,
        ("{own}/tasks/mine.yaml, line 4: '!function mine.ask' would run Python code", "--trust"),
    ),
)
"""Name -> arguments, exit code, what is said."""

LEAVES_NO_RUN = tuple(c.name for c in CASES if c.name not in ("start layer", "cut weights", "collinear means", "divergence"))


@pytest.fixture(scope="module")
def places(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Place]:
    root = tmp_path_factory.mktemp("errors")
    data = write_small_data(root / "data", items=6, questions=2)
    places = {}
    for number, case in enumerate(CASES):
        (root / str(number)).mkdir()
        places[case.name] = Place(tiny_model_dir, data, root / str(number))
    return places


@pytest.fixture(scope="module")
def results(places: dict[str, Place], cli: Any) -> Iterator[dict[str, Future[Result]]]:
    """Every case, two processes at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield {
            case.name: pool.submit(cli, *case.args(places[case.name]), cwd=places[case.name].own, env={"OMP_NUM_THREADS": "1"})
            for case in CASES
        }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_mistake(case: Case, results: dict[str, Future[Result]], places: dict[str, Place]) -> None:
    place, done = places[case.name], results[case.name].result()
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == case.code, done.stderr
    assert done.stdout == "", "stdout is for results"
    for words in case.says:
        words = words.replace("{own}", str(place.own)).replace("{data}", str(place.data)).replace("{model}", str(place.model))
        assert words in done.stderr, done.stderr
    if case.name in LEAVES_NO_RUN:
        assert not (place.out / "run.json").exists(), "a run that could not begin left a run folder"


def test_divergence_keeps_the_last_good_state(results: dict[str, Future[Result]], places: dict[str, Place]) -> None:
    import torch
    from safetensors.torch import load_file

    stderr = results["divergence"].result().stderr
    step = int(stderr.partition("is not finite at step ")[2].partition(";")[0])
    home = places["divergence"].out / "enhancements"
    assert [path.name for path in home.iterdir()] == [f"lens.diverged-at-step-{step}"]
    kept = home / f"lens.diverged-at-step-{step}"
    assert f"stopped with the parameters of step {step - 1}" in stderr
    assert f"the last good state is in {places['divergence'].out}/enhancements/{kept.name}" in stderr
    tensors = load_file(kept / "delta.safetensors")
    assert tensors and all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    assert json.loads((kept / "card.json").read_text())["config"]["learning_rate"] == 1e30


def test_refused_code_was_not_run(results: dict[str, Future[Result]], places: dict[str, Place]) -> None:
    results["!function"].result()
    assert not list(places["!function"].own.rglob("was-run"))
