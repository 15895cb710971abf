"""Two-turn answers: what the second turn follows, temperatures, resuming, and prompts that fill the window."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from lensbench.stages.answer import item_seed
from lensbench.tasks import TaskRegistry, resolve

CATEGORIES = ("writing", "math", "stem", "coding")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for code in ("en", "zh"):
        file = folder / "open_questions" / code / "test.jsonl"
        file.parent.mkdir(parents=True)
        rows = [
            {"question_id": i, "category": category, "turns": [f"{code} question {i}", f"and {i}?"], "reference": ["a", "b"]}
            for i, category in enumerate(CATEGORIES, start=1)
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def answered(
    cli: Callable[..., Any], data: Path, model: Path, out: Path, *extra: str
) -> dict[tuple[str, int, str], dict[str, Any]]:
    done = cli(
        "run",
        "-b",
        model,
        "-l",
        "zh",
        "--data",
        data,
        "-t",
        "open_questions@mt-bench",
        "--identifier",
        "lid176",
        "--max-new-tokens",
        "12",
        "--out",
        out,
        *extra,
    )
    assert done.returncode == 0, done.stderr
    items = {r["key"]: r for r in map(json.loads, (out / "items" / "items.jsonl").read_text().splitlines())}
    answers = map(json.loads, (out / "items" / "answers.jsonl").read_text().splitlines())
    return {(items[r["item"]]["doc"]["category"], r["turn"], r["language"]): r for r in answers}


def test_turns_temperatures_and_batch_size(
    cli: Callable[..., Any], data: Path, tiny_model_dir: Path, tmp_path: Path, tiny: Any
) -> None:
    found = answered(cli, data, tiny_model_dir, tmp_path / "one")
    assert len(found) == len(CATEGORIES) * 2 * 2
    assert {key[0]: found[key]["temperature"] for key in found} == {"writing": 0.7, "math": 0, "stem": 0.1, "coding": 0}
    # The prompt of turn 2 holds both questions and this variant's own first answer: counted with the byte tokenizer.
    first, second = found["math", 1, "zh"], found["math", 2, "zh"]
    turns = [
        {"role": "user", "content": "zh question 2"},
        {"role": "assistant", "content": first["text"]},
        {"role": "user", "content": "and 2?"},
    ]
    text = tiny.tokenizer.apply_chat_template(
        [{"role": "system", "content": tiny.backbone.system_text}, *turns] if tiny.backbone.system_text is not None else turns,
        tokenize=False,
        add_generation_prompt=True,
    )
    assert second["prompt_tokens"] == len(tiny.tokenizer.encode(text, add_special_tokens=False))
    other = answered(cli, data, tiny_model_dir, tmp_path / "two", "--batch-size", "1")
    assert {key: r["text"] for key, r in other.items()} == {key: r["text"] for key, r in found.items()}
    reseeded = answered(cli, data, tiny_model_dir, tmp_path / "three", "--seed", "7")
    changed = {key[0] for key in found if reseeded[key]["text"] != found[key]["text"]}
    assert "writing" in changed and not changed & {"math", "coding"}, "greedy answers know no seed"


def test_an_answer_that_is_missing_is_made_again_and_nothing_else(
    cli: Callable[..., Any], data: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    before = answered(cli, data, tiny_model_dir, tmp_path / "run")
    log = tmp_path / "run" / "items" / "answers.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:9]) + lines[9][:20])
    after = answered(cli, data, tiny_model_dir, tmp_path / "run")
    kept = log.read_text().splitlines(keepends=True)
    assert kept[:9] == lines[:9] and len(kept) == len(lines)
    strip = {"seconds"}
    assert {k: {n: v for n, v in r.items() if n not in strip} for k, r in after.items()} == {
        k: {n: v for n, v in r.items() if n not in strip} for k, r in before.items()
    }


def test_a_prompt_that_fills_the_window_is_a_state_of_its_own(
    cli: Callable[..., Any], data: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    file = data / "open_questions" / "zh" / "test.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[1]["turns"][0] = "y" * 3000
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = answered(cli, data, tiny_model_dir, tmp_path / "run")
    assert (found["math", 1, "zh"]["state"], found["math", 1, "zh"]["finish"]) == ("no_room", "no_room")
    assert found["math", 2, "zh"]["state"] == "no_room"
    assert sum(r["state"] == "no_room" for r in found.values()) == 2


def test_a_template_that_opens_the_reasoning(cli: Callable[..., Any], data: Path, tiny_model_dir: Path, tmp_path: Path) -> None:
    """The prompt ends with `<think>`, and the model never closes it: no answer was begun, and none is measured."""
    model = Path(shutil.copytree(tiny_model_dir, tmp_path / "thinker"))
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template += "{% if add_generation_prompt %}{{ '<think>\\n' }}{% endif %}"
    tokenizer.save_pretrained(model)
    found = answered(cli, data, model, tmp_path / "run")
    assert all(record["reasoning_opened"] and record["answer"] == "" and record["text"] for record in found.values())
    identified = [json.loads(line) for line in (tmp_path / "run" / "items" / "identified.jsonl").read_text().splitlines()]
    assert {record["state"] for record in identified} == {"only_reasoning"}
    cells = json.loads((tmp_path / "run" / "results.json").read_text())["cells"]
    assert {(cell["value"], cell["n"], cell["failures"]) for cell in cells} == {(None, 4, 4)}
    assert "no answer was begun" in (tmp_path / "run" / "report.md").read_text()


def test_seeds_are_of_the_item_and_turn() -> None:
    seeds = {item_seed(seed, item, turn) for seed in (1, 2) for item in ("a", "b") for turn in (1, 2)}
    assert len(seeds) == 8 and all(0 <= seed < 2**63 for seed in seeds)


def test_the_protocol_of_mt_bench() -> None:
    registry = TaskRegistry()
    task = resolve(registry.find("mt_bench", "lens-paper"), "sw", registry.profile("mt-bench"))
    generation = task.generation
    assert generation.max_new_tokens == 1024
    # Zheng et al. 2023; FastChat's temperature by category, 0.7 for one it does not know.
    expected = {
        "writing": 0.7,
        "roleplay": 0.7,
        "extraction": 0,
        "math": 0,
        "coding": 0,
        "reasoning": 0,
        "stem": 0.1,
        "humanities": 0.1,
    }
    assert {c: generation.temperature_for({"category": c}) for c in expected} == expected
    assert generation.temperature_for({"category": "arena-hard"}) == 0.7
    shorter = resolve(registry.find("mt_bench", "lens-paper"), "sw", registry.profile("mt-bench"), max_new_tokens=64)
    assert shorter.generation.max_new_tokens == 64 and shorter.protocol_hash() != task.protocol_hash()
