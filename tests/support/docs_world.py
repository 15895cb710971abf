"""A machine like the one that README and docs write about: tiny models under the real names, small data, finished runs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import save_tiny_model
from judge_server import JudgeServer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
MODELS = ("llama3-8b", "smollm2-135m", "chinese-llama3-8b-v3", "tiny")
SMALL = ("--limit", "2", "--max-new-tokens", "2", "--identifier", "lid176")


def documented() -> list[tuple[str, str]]:
    """(page, command) of every `lensbench` command in a fenced block; a line that ends with a backslash goes on."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            lines = block.replace("\\\n", " ").splitlines()
            found += [(page.name, " ".join(shlex.split(line, comments=True))) for line in lines if line.startswith("lensbench ")]
    return list(dict.fromkeys(found))


class World:
    """Folders and files that the documented commands name, under one folder in which they are run."""

    def __init__(self, home: Path, cli: Callable[..., Any], judge: JudgeServer) -> None:
        self.home, self.cli, self.judge = home, cli, judge
        self.env = {"LENSBENCH_MODELS": str(home / "models"), "OPENAI_API_KEY": "k", "LENSBENCH_CACHE": str(home / "cache")}
        self._models()
        self._data()
        self._ready = False
        self._made = 0

    def call(self, *words: str | Path) -> Any:
        return self.cli(*words, cwd=self.home, env=self.env)

    def _models(self) -> None:
        # As many blocks as the paper's presets count on.
        for number, name in enumerate(MODELS):
            layers = 2 if name == "tiny" else 32
            save_tiny_model(self.home / "models" / name, layers=layers, hidden=16, seed=number)
        for name in ("my-model", "path/to/model"):
            shutil.copytree(self.home / "models" / "tiny", self.home / name)

    def _data(self) -> None:
        data = self.home / "lensbench-data"
        shutil.copytree(ROOT / "lensbench" / "datasets" / "mini", data)
        for code in ("en", "zh", "sw"):
            rows = [
                {"question_id": 81 + n, "category": category, "turns": [f"{code} question {n}", f"{code} again {n}"]}
                for n, category in enumerate(("writing", "math", "coding"))
            ]
            write_lines(data / "mt_bench" / code / "test.jsonl", rows)
        for code in ("en", "zh"):
            tested = (data / "xcopa" / code / "test.jsonl").read_text(encoding="utf-8").splitlines()[:4]
            rows = [{**json.loads(line), "idx": n, "premise": f"{n} {code}."} for n, line in enumerate(tested)]
            write_lines(data / "xcopa" / code / "validation.jsonl", rows)
        row = {
            "premise": "La pioggia cadeva.",
            "choice1": "Presi l'ombrello.",
            "choice2": "Presi il sole.",
            "question": "effect",
            "label": 0,
            "idx": 0,
            "changed": False,
        }
        write_lines(self.home / "downloads" / "xcopa" / "data" / "it" / "test.it.jsonl", [{**row, "idx": n} for n in range(4)])
        (self.home / "examples").symlink_to(ROOT / "examples")

    def ready(self) -> None:
        """Make the runs that are named RUN, RUN_A and so on, once."""
        if not self._ready:
            self._runs()
            self._ready = True

    def _runs(self) -> None:
        lens = ("--set", "lens.n_probe=8", "--set", "lens.n_parallel=16", "--set", "lens.warmup_ratio=0")
        small = ("--data", "lensbench-data", *SMALL)
        run = (
            "run",
            "-m",
            "lens,xsft",
            "-b",
            "my-model",
            "-l",
            "zh",
            "-t",
            "xcopa,multiq,open_questions,mt_bench",
            "--variant",
            "mine=path/to/model",
            *lens,
            "--set",
            "lens.push_strength=1.0",
            "--set",
            "xsft.preset=small",
            "--set",
            "xsft.n_aya=8",
            *small,
            "--out",
            "RUN",
        )
        self.must(*run)
        for number in (1, 2):
            own = [word.removeprefix("lens.") for word in lens]
            one = (
                "run",
                "-m",
                "lens",
                "-b",
                "my-model",
                "-l",
                "zh",
                "-t",
                "xcopa",
                *own,
                "--set",
                f"start_layer={number}",
                *small,
            )
            self.must(*one, "--out", f"RUN_{number}")
        sweep = ("--sweep", "lens.start_layer=1,2", "--sweep", "lens.push_strength=0.5,1", "--seeds", "0,1")
        own = (*lens, "--data", "lensbench-data", *SMALL)
        self.must("run", "-m", "lens", "-b", "my-model", "-l", "zh", "-t", "xcopa", *sweep, *own, "--out", "RUN_S")
        own = [word.removeprefix("lens.") for word in lens]
        swept = ("run", "-b", "my-model", "-l", "zh", "-t", "xcopa", *own, "--sweep", "lens.start_layer=1,2", "--pick")
        self.must(*swept, "share=0.5", "--data", "embedded", "--limit", "12", "--out", "RUN_PICKED")
        self.must("judge", "RUN", "--judge", "gpt-4o", "--base-url", self.judge.url, "--max-usd", "5", "--repeats", "2")
        # What `judge` adds to RUN on a page is not in the run that tables are made of.
        for alias, run_name in {
            "RUN_T": "RUN",
            "RUN_A": "RUN",
            "RUN_B": "RUN",
            "RUN_C": "RUN",
            "RUN_21": "RUN_1",
            "RUN_25": "RUN_2",
            "RUN_31": "RUN_2",
            "runs/open": "RUN",
        }.items():
            shutil.copytree(self.home / run_name, self.home / alias)
        for name, variant in (("model-a", "base"), ("model-b", "lens")):
            shutil.copytree(self.home / "RUN" / "lm_eval" / variant, self.home / "out" / name)
        self.must("project", "RUN", "--data", "embedded", "--limit", "4")
        shutil.copy(ROOT / "docs" / "report.md", self.home / "layers.svg")
        (self.home / "layers.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')

    def must(self, *words: str | Path) -> None:
        done = self.call(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}"

    def words(self, line: str) -> list[str]:
        """A documented command as it is run here: its own words, with the addresses of this machine."""
        found = []
        for word in line.split(" ")[1:]:
            word = word.replace("http://127.0.0.1:8000/v1", self.judge.url)
            found.append(str(self.home / word[2:]) if word.startswith("~/") else word)
        if found[:2] == ["figure", "ablation"]:
            # Runs of one method each, as the figure needs them.
            found = [{"RUN_A": "RUN_21", "RUN_B": "RUN_25", "RUN_C": "RUN_31"}.get(word, word) for word in found]
        if found[:2] in (["figure", "sweep"], ["figure", "pareto"]):
            found = ["RUN_S" if word == "RUN" else word for word in found]
        if found[0] in ("merge", "import-lm-eval"):
            # The page's own name is taken by what comes before it.
            self._made += 1
            found[found.index("--to") + 1] += f"-new{self._made}"
        if found[0] == "table":
            found = ["RUN_T" if word == "RUN" else word for word in found]
        if "gpt-4o" in found and found[0] == "judge" and "--estimate" not in found:
            found += ["--base-url", self.judge.url]
        if found[0] == "run" and "--data" not in found:
            found += ["--data", str(self.home / "lensbench-data")]
        return found


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
