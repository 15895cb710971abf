"""SDRRL end to end on a tiny model that answers: what is kept and counted, a fit that is killed goes on, saved and merged."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from sdrrl_fit import FEW, fit, load
from sdrrl_help import questions, save_talker

from lensbench.backbones.load import LoadedBackbone
from lensbench.datasets.sources import open_data
from lensbench.engines.chat import encode_prompt
from lensbench.engines.generation.generate import generate_reference
from lensbench.errors import RunError, UnavailableError
from lensbench.grading.fidelity import load_identifier
from lensbench.languages import get_language
from lensbench.methods import config_model, load_method
from lensbench.methods.base import Cost, SilentProgress
from lensbench.methods.delta import Delta
from lensbench.methods.sdrrl.answers import own_answers
from lensbench.methods.sdrrl.prompts import self_translation_request
from lensbench.methods.sdrrl.stages import StageCost
from lensbench.methods.sft.template import user_turn


@pytest.fixture(scope="module")
def talker_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_talker(tmp_path_factory.mktemp("models") / "tiny-talker")


@pytest.fixture
def talker(talker_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LoadedBackbone:
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path / "cache"))
    return load(talker_dir)


def kept(tmp_path: Path) -> int:
    return len(list((tmp_path / "cache").rglob("generated/*/*.json")))


def asked_alone(loaded: LoadedBackbone, question: str, limit: int) -> Any:
    return generate_reference(loaded, encode_prompt(loaded.tokenizer, user_turn(loaded.tokenizer, question, None)), limit)


def test_own_answers_are_the_models_and_the_others_are_counted(talker: LoadedBackbone) -> None:
    asked = [f"Question {i}{'?!;:'[i % 4]}" for i in range(20)]
    identifier = load_identifier("lid176")
    expected: dict[str, str] = {}
    states: Counter[str] = Counter(asked=20, kept=0, empty=0, cut=0, too_long=0, other_language=0)
    for question in asked:
        answer = asked_alone(talker, question, 50)
        if not answer.text.strip():
            states["empty"] += 1
        elif answer.finish != "stop":
            states["cut"] += 1
        elif identifier.identify(answer.text).label != "en":
            states["other_language"] += 1
        else:
            states["kept"] += 1
            expected[question] = answer.text.strip()
    cost = StageCost()
    found = own_answers(talker, asked, get_language("en"), identifier, SilentProgress(), cost, max_new_tokens=50, batch_size=4)
    assert found.answers == expected and found.counts == states
    assert all(states[name] >= 2 for name in ("kept", "empty", "cut", "other_language")), f"the model says too little: {states}"
    assert sum(found.other_languages.values()) == states["other_language"]
    assert cost.generated_tokens == sum(asked_alone(talker, question, 50).tokens for question in asked)
    assert (cost.texts, cost.cached_texts, cost.cached_seconds) == (20, 0, 0.0) and cost.seconds > 0
    # Another limit is another answer, and a question that leaves it no room is not asked.
    longer = own_answers(
        talker, ["Question 1? " * 200], get_language("en"), identifier, SilentProgress(), cost, max_new_tokens=60, batch_size=4
    )
    assert longer.counts["too_long"] == 1 and not longer.answers


def test_a_fit_learns_what_the_model_says(talker: LoadedBackbone, tmp_path: Path) -> None:
    before = {name: p.detach().clone() for name, p in talker.model.named_parameters()}
    delta = fit(talker)
    assert all(torch.equal(p, before[name]) for name, p in talker.model.named_parameters()), "the backbone is untouched"
    card = delta.card
    assert delta.method == "sdrrl" and "note" not in card and card["languages"] == ["en", "zh"]
    counts, translated = card["answers"], card["translations"]["zh"]
    assert counts["asked"] == 8 == sum(counts[k] for k in ("kept", "empty", "cut", "too_long", "other_language"))
    assert translated["asked"] == sum(translated[k] for k in ("kept", "empty", "cut", "too_long", "missing"))
    assert 0 < translated["kept_in_target_language"] <= translated["kept"]
    made = {pool: c["made"] for pool, c in card["pools"].items()}
    assert made["en-en"] == made["zh-en"] == counts["kept"] and made["zh-zh"] == made["en-zh"] <= counts["kept"]
    assert (made["translate/en-zh"], made["translate/zh-en"], made["complete/zh"]) == (1, 1, 2)
    assert card["items"] == {"realised": sum(made.values()), "paper": 4000}
    assert sum(c["used"] for c in card["pools"].values()) == card["cost"]["training_items"] == card["items"]["realised"]
    cost = card["cost"]
    stages = cost["stages"]
    assert list(stages) == ["answers", "translations/zh", "fine-tuning"]
    assert cost["wall_seconds"] == pytest.approx(sum(s["seconds"] for s in stages.values())) and cost["cached_seconds"] == 0
    assert cost["generated_tokens"] == stages["answers"]["generated_tokens"] + stages["translations/zh"]["generated_tokens"] > 0
    assert cost["translated_texts"] == translated["asked"] and cost["translated_characters"] > 20 * translated["asked"]
    delta.save(tmp_path / "sdrrl")
    assert load_method("sdrrl").load(tmp_path / "sdrrl", talker.checkpoint.digest).digest == delta.digest


def test_translations_are_the_models_own(talker: LoadedBackbone) -> None:
    """Question, answer and translation of an example hang together: each is what the model says when asked alone."""
    from lensbench.methods.sdrrl.config import SdrrlConfig
    from lensbench.methods.sdrrl.corpora import load_sdrrl
    from lensbench.methods.sdrrl.fit import _answer, _translate
    from lensbench.methods.sdrrl.items import combined
    from lensbench.methods.sdrrl.stages import Stages

    config = SdrrlConfig.model_validate(FEW)
    corpora = load_sdrrl(questions(("en", "zh"), 30), ("en", "zh"), config)
    own = _answer(talker, corpora, config, SilentProgress(), Stages())
    translations, _ = _translate(talker, corpora, config, own, SilentProgress(), Stages())
    items = combined(corpora, config, own.answers, translations)
    zh = [e for e in items.examples if e.pool == "zh-zh"]
    assert zh
    for example in zh:
        number = re.findall(r"\d+", example.question)[0]
        answer = asked_alone(talker, f"Question {number}?", 60).text.strip()
        assert example.answer == asked_alone(talker, self_translation_request(answer, "en", "zh"), 60).text.strip()


def test_the_same_fit_takes_everything_from_the_cache_and_says_so(talker: LoadedBackbone, tmp_path: Path) -> None:
    first, progress = fit(talker), SilentProgress()
    texts = kept(tmp_path)
    second = fit(talker, progress)
    assert second.digest == first.digest and kept(tmp_path) == texts
    ours, theirs = second.card["cost"], first.card["cost"]
    for name in ("answers", "translations/zh"):
        stage = ours["stages"][name]
        assert stage["cached_texts"] == stage["texts"] == theirs["stages"][name]["texts"]
        # What the cached texts took is in the total, beside what reading them took.
        assert stage["cached_seconds"] > 0 and theirs["stages"][name]["cached_seconds"] == 0
    assert ours["cached_seconds"] == pytest.approx(sum(s.get("cached_seconds", 0) for s in ours["stages"].values()))
    assert ours["wall_seconds"] > ours["cached_seconds"] + ours["stages"]["fine-tuning"]["seconds"]
    assert ours["generated_tokens"] == theirs["generated_tokens"]
    assert sum("from the cache" in note for note in progress.notes) == 2 and "in an earlier start" in progress.notes[-1]
    # What decides an answer is in the key: another limit, another answer.
    fit(talker, max_new_tokens=61)
    assert kept(tmp_path) == texts + 8


_KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
sys.path[:0] = {places!r}
import sdrrl_fit
from lensbench.methods.base import SilentProgress

class Killer(SilentProgress):
    @contextmanager
    def stage(self, title, total):
        done = 0
        def advance(n=1, note=""):
            nonlocal done
            done += n
            if title.startswith({stage!r}) and done == {after}:
                os.kill(os.getpid(), signal.SIGKILL)
        yield advance

sdrrl_fit.fit(sdrrl_fit.load(Path({model!r})), Killer())
"""


def test_a_fit_that_is_killed_goes_on(talker: LoadedBackbone, talker_dir: Path, tmp_path: Path) -> None:
    tests = Path(__file__).parents[1]
    places = [str(place) for place in (tests, tests / "support", tests / "methods")]

    def killed(stage: str, after: int) -> None:
        code = _KILLED.format(places=places, stage=stage, after=after, model=str(talker_dir))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), timeout=120)
        assert done.returncode == -signal.SIGKILL, done.stderr

    killed("the backbone's own answers", 5)
    assert kept(tmp_path) == 5
    killed("translations", 1)
    assert kept(tmp_path) == 8 + 1, "all answers, and the first translation"
    progress = SilentProgress()
    delta = fit(talker, progress)
    stages = delta.card["cost"]["stages"]
    assert stages["answers"]["cached_texts"] == 8 and stages["translations/zh"]["cached_texts"] == 1
    assert "sdrrl: the backbone's own answers: 8 of 8 from the cache" in progress.notes
    os.environ["LENSBENCH_CACHE"] = str(tmp_path / "other")
    whole = fit(talker)
    assert whole.card["cost"]["stages"]["answers"]["cached_texts"] == 0
    assert whole.card["pools"] == delta.card["pools"] and whole.digest == delta.digest, "as if it had never been stopped"


def test_a_damaged_cache_entry_is_made_anew(talker: LoadedBackbone, tmp_path: Path) -> None:
    first = fit(talker)
    paths = sorted((tmp_path / "cache").rglob("generated/*/*.json"))
    paths[0].write_text(paths[0].read_text()[:20])
    paths[1].write_text(paths[2].read_text())
    second = fit(talker)
    assert second.digest == first.digest
    assert sum(s.get("cached_texts", 0) for s in second.card["cost"]["stages"].values()) == len(paths) - 2


def test_without_a_translator_it_is_called_so(talker: LoadedBackbone, tmp_path: Path) -> None:
    progress = SilentProgress()
    delta = fit(talker, progress, translator="none")
    assert delta.method == "sdrrl-nomt" and "sdrrl-nomt" in delta.card["note"] and delta.card["translator"] is None
    assert any("sdrrl-nomt" in note for note in progress.notes if note.startswith("!"))
    assert set(delta.card["pools"]) == {"en-en", "zh-en", "translate/en-zh", "translate/zh-en", "complete/zh"}
    delta.save(tmp_path / "nomt")
    assert (tmp_path / "nomt" / "README.md").read_text().startswith("# sdrrl-nomt on")


def test_a_fit_that_has_nothing_to_learn_from_stops(talker: LoadedBackbone) -> None:
    with pytest.raises(RunError, match=r"none of the backbone's own answers can be learned: 8 asked, 0 kept, 0 empty, 8 cut"):
        fit(talker, max_new_tokens=5)
    with pytest.raises(RunError, match=r"no translation into Chinese by the backbone itself can be used: .* cut"):
        fit(talker, translate_max_new_tokens=3)
    with pytest.raises(
        UnavailableError, match=r"parallel texts are needed in Chinese \('zh'\): made rows have no bactrian_x rows in"
    ):
        fit(talker, source=questions(("en",), 30))


def test_a_cost_of_an_earlier_card_still_reads() -> None:
    old = {
        "wall_seconds": 1.0,
        "gpu_seconds": None,
        "peak_bytes": None,
        "floor_bytes": 4,
        "trainable_parameters": 1,
        "total_parameters": 2,
        "training_items": 3,
        "training_tokens": 4,
        "steps": 5,
    }
    cost = Cost(**old)
    assert cost.as_dict() == {
        **old,
        "trainable_share": 0.5,
        "cached_seconds": 0.0,
        "generated_tokens": 0,
        "server_tokens": 0,
        "translated_texts": 0,
        "translated_characters": 0,
        "stages": {},
    }


def test_a_run_from_the_command_line_and_a_merge(cli: Any, talker_dir: Path, tmp_path: Path) -> None:
    """On the embedded questions, labelled where no translator is given; the merged folder has the variant's logits."""
    environment = {"LENSBENCH_CACHE": str(tmp_path / "cache")}
    words = (
        "run",
        "-b",
        talker_dir,
        "-l",
        "zh",
        "-t",
        "xcopa",
        "--limit",
        "2",
        "--data",
        "embedded",
        "-m",
        "sdrrl",
        "--set",
        "n=16",
        "--set",
        "n_parallel=16",
        "--set",
        "max_new_tokens=60",
        "--set",
        "max_length=500",
        "--set",
        "batch_size=4",
        "--set",
        "learning_rate=1e-3",
    )
    refused = cli(*words, "--out", tmp_path / "run", env=environment)
    assert refused.returncode == 1 and "the translator facebook/nllb-200-distilled-600M is not available" in refused.stderr
    assert "loaded" not in refused.stderr and not (tmp_path / "run" / "run.json").exists(), "known before a model is loaded"
    wrong = cli(*words, "--set", "tranlator=self", "--dry-run")
    assert wrong.returncode == 2 and "translator" in wrong.stderr and "Traceback" not in wrong.stderr
    done = cli(*words, "--set", "translator=none", "--out", tmp_path / "run", env=environment)
    assert done.returncode == 0, done.stderr
    assert "this is sdrrl-nomt" in done.stdout
    assert "this is sdrrl-nomt" in (tmp_path / "run" / "report.md").read_text()
    merged = cli("merge", tmp_path / "run", "--to", tmp_path / "merged", env=environment)
    assert merged.returncode == 0, merged.stderr
    from transformers import AutoModelForCausalLM

    loaded = load(talker_dir)
    delta = Delta.load(tmp_path / "run" / "enhancements" / "sdrrl", loaded.checkpoint.digest)
    ids = torch.tensor([loaded.tokenizer.encode("你好 and hello")])
    with torch.no_grad():
        untouched = loaded.model(ids).logits
        with delta.applied(loaded, "zh"):
            enhanced = loaded.model(ids).logits
        plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)(ids).logits
    assert torch.equal(plain, enhanced) and not torch.equal(plain, untouched)


def test_the_needs_are_listed(cli: Any) -> None:
    listed = {m["name"]: m for m in json.loads(cli("ls", "methods", "--json").stdout)}["sdrrl"]
    assert any("bactrian_x" in need for need in listed["needs"]) and any("translator" in need for need in listed["needs"])
    assert any("lexicon" in need for need in listed["needs"])


def test_the_small_preset_fits_the_embedded_set() -> None:
    model, presets = config_model("sdrrl")
    config = model.model_validate({"preset": "small", **presets["small"]})
    data = load_method("sdrrl").corpora(open_data("embedded"), ("en", "zh"), config)
    assert data.rows["chosen"] == data.rows["chosen_parallel"] == 32 and data.rows["in_all_languages"] == 96
    assert len(set(data.texts())) == 128 and set(data.origins) == {"bactrian_x/en", "bactrian_x/zh"}
