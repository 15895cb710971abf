"""A real fastText model with GlotLID's labels, trained here, and files that are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from judged_run import build_run

from lensbench.errors import UnavailableError
from lensbench.grading.fidelity import Identifier, answered_cell, load_identifier
from lensbench.grading.fidelity.find import GLOTLID_REVISION
from lensbench.grading.fidelity.modelfile import read_labels
from lensbench.languages import get_language
from lensbench.numbers.read_metrics import read_metrics
from lensbench.stages.identify import identify_stage

pytestmark = pytest.mark.real

CODES = ("en", "zh", "ja", "ko", "ar", "bn", "sw", "th", "vi", "id", "it", "tr", "es", "hi", "te")
# Labels GlotLID has for varieties, for romanised text and for no language, put on lines that are not that.
ODD = {"ar": "arz_Arab", "zh": "yue_Hani", "bn": "ben_Latn", "tr": "fra_Latn", "vi": "nob_Latn", "te": "und_Telu"}

TRAIN = """
import json, sys
import fasttext
text, target = sys.argv[1:]
same = {"minn": 1, "maxn": 3, "minCount": 2, "dim": 8, "bucket": 5000, "thread": 1, "verbose": 0}
model = fasttext.train_supervised(text, epoch=15, lr=0.3, seed=1, **same)
model.save_model(target + ".bin")
print(json.dumps([label.removeprefix("__label__") for label in model.get_labels()]))
model.quantize(text, qnorm=True, cutoff=4000)
model.save_model(target + ".ftz")
fasttext.train_unsupervised(text, epoch=1, **same).save_model(target + ".vectors.bin")
"""


def ntrex(real_data: Path, code: str) -> list[str]:
    (path,) = (real_data / "ntrex" / "NTREX-128").glob(f"*.{get_language(code).code_in('ntrex')}.txt")
    return path.read_text(encoding="utf-8").splitlines()


def train(real_data: Path, target: Path, odd: dict[str, str]) -> list[str]:
    """Train on real lines behind the first 200; returns the labels as the trainer tells them."""
    trainer = Path(sys.prefix) / "fasttext-train"
    if not (trainer / "fasttext").is_dir():
        message = f"no trainer: pip install --no-deps --target {trainer} fasttext-community==0.11.9"
        if os.environ.get("LENSBENCH_REQUIRE_REAL_DATA"):
            pytest.fail(message)
        pytest.skip(message)
    lines = [
        f"__label__{odd.get(code, get_language(code).glotlid)} {line}" for code in CODES for line in ntrex(real_data, code)[200:]
    ]
    text = target.with_suffix(".txt")
    text.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-c", TRAIN, str(text), str(target)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(trainer)}, capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def trained(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The path of the models without their endings, and their labels."""
    target = tmp_path_factory.mktemp("lid") / "mine"
    return target, train(real_data, target, {})


@pytest.fixture(scope="module")
def glotlid(trained: tuple[Path, list[str]]) -> Identifier:
    return load_identifier(f"{trained[0]}.bin")


@pytest.fixture(scope="module")
def odd(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Identifier:
    target = tmp_path_factory.mktemp("lid") / "odd"
    train(real_data, target, ODD)
    return load_identifier(f"{target}.bin")


@pytest.mark.parametrize("code", ["en", "zh", "ja", "ko", "ar", "bn", "sw"])
def test_its_style_is_told_from_its_labels(glotlid: Identifier, real_data: Path, code: str) -> None:
    language = get_language(code)
    lines = ntrex(real_data, code)[:200]
    labels = [glotlid.identify(line).label for line in lines]
    # The strict labels as the papers' scorer has them (ko and ar by analogy).
    strict = {
        "en": "eng_Latn",
        "zh": "cmn_Hani",
        "ja": "jpn_Jpan",
        "ko": "kor_Hang",
        "ar": "arb_Arab",
        "bn": "ben_Beng",
        "sw": "swh_Latn",
    }[code]
    assert [glotlid.strict(label, language) for label in labels] == [label == strict for label in labels]
    assert labels.count(strict) / len(labels) > 0.9
    assert answered_cell(lines[0], glotlid) == code


@pytest.mark.parametrize(
    ("code", "strict", "lenient", "cell"),
    [
        ("ar", False, True, "ar"),
        ("zh", False, True, "zh"),
        ("bn", False, False, "ben_Latn"),
        ("tr", False, False, "fr"),
        ("vi", False, False, "nob_Latn"),
        ("te", False, False, "unknown"),
        ("sw", True, True, "sw"),
    ],
)
def test_strict_and_lenient(odd: Identifier, real_data: Path, code: str, strict: bool, lenient: bool, cell: str) -> None:
    language = get_language(code)
    lines = ntrex(real_data, code)[:50]
    labels = [odd.identify(line).label for line in lines]
    for found, wanted in (
        ([odd.strict(label, language) for label in labels], strict),
        ([odd.lenient(label, language) for label in labels], lenient),
        ([answered_cell(line, odd) == cell for line in lines], True),
    ):
        assert sum(one == wanted for one in found) / len(found) > 0.9


def test_what_it_has_no_label_for_is_known(glotlid: Identifier, odd: Identifier) -> None:
    assert glotlid.missing() == tuple(code for code in ("et", "ht", "qu", "ta", "fr", "ru", "pt", "de"))
    assert odd.covers(get_language("fr")) and not odd.covers(get_language("bn"))
    # It has Egyptian Arabic only: no strict number, a lenient one.
    assert not odd.covers(get_language("ar")) and odd.covers_leniently(get_language("ar"))


def test_a_number_is_given_only_by_the_labels_that_can_count_for_it(odd: Identifier, real_data: Path, tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", items=2, languages=("ar",), awkward=False)
    path = folder.path / "items" / "answers.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = ntrex(real_data, "ar")
    records = [{**record, "text": lines[number]} for number, record in enumerate(records)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    with folder.log("identified") as log:
        identify_stage(folder, odd, log)
    columns = {column.metric.name: column for column in read_metrics(folder) if column.variant == "base"}
    assert columns["lf_turn1"].values == {} and dict(columns["lf_turn1"].states) == {"not_covered": 2}
    assert set(columns["lf_turn1_lenient"].values.values()) == {1.0} and columns["lf_turn1_lenient"].failures == 0


def test_unlike_identifiers_have_unlike_signatures(trained: tuple[Path, list[str]], glotlid: Identifier, odd: Identifier) -> None:
    quantised = load_identifier(f"{trained[0]}.ftz")
    every = [glotlid, odd, quantised, load_identifier()]
    assert len({one.signature for one in every}) == 4
    assert all(one.signature == f"{one.name}:{one.digest[:8]}@0.2" for one in every)
    assert glotlid.name == "mine.bin" and load_identifier(f"{trained[0]}.bin").signature == glotlid.signature


def test_it_is_fast(glotlid: Identifier, real_data: Path) -> None:
    lines = ntrex(real_data, "sw") * 10
    began = time.perf_counter()
    for line in lines:
        glotlid.identify(line)
    assert (time.perf_counter() - began) / len(lines) < 20 / 50_000


def test_a_literal_end_mark_does_not_end_the_answer(glotlid: Identifier, real_data: Path) -> None:
    line = ntrex(real_data, "sw")[0]
    assert glotlid.identify(f"</s> {line}") == glotlid.identify(line)
    assert glotlid._model.predict(f"</s> {line}") == glotlid._model.predict("")  # as fastText reads it


@pytest.mark.parametrize("ending", [".bin", ".ftz"])
def test_labels_are_those_the_trainer_tells(trained: tuple[Path, list[str]], ending: str) -> None:
    assert list(read_labels(Path(f"{trained[0]}{ending}"))) == trained[1]


@pytest.mark.parametrize("ending", [".bin", ".ftz"])
def test_a_model_cut_off_anywhere_is_refused(trained: tuple[Path, list[str]], tmp_path: Path, ending: str) -> None:
    """fastText would kill the process, hang, or answer at random."""
    whole = Path(f"{trained[0]}{ending}").read_bytes()
    path = tmp_path / "cut.bin"
    for left in {*range(4, 100, 5), *range(100, len(whole), len(whole) // 100), len(whole) - 1}:
        path.write_bytes(whole[:left])
        with pytest.raises(UnavailableError, match=f"cut off after {left:,} bytes"):
            read_labels(path)


@pytest.mark.parametrize("ending", [".bin", ".ftz"])
def test_flipped_bits_do_no_harm(trained: tuple[Path, list[str]], tmp_path: Path, ending: str) -> None:
    """fastText would crash with many of these; they are read, or refused with a reason, in a process that lives on."""
    script = Path(__file__).parents[1] / "support" / "flipped_identifier.py"
    command = [sys.executable, str(script), f"{trained[0]}{ending}", str(tmp_path / f"flipped{ending}"), "0", "24"]
    environment = {**os.environ, "LENSBENCH_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(script.parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    said = done.stdout.splitlines()
    assert done.returncode == 0 and len(said) == 24, done.stderr
    assert sum(": its counts do not agree" in line for line in said) > 5


def test_a_sound_file_is_tried_once(trained: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path))
    first = Identifier("mine", Path(f"{trained[0]}.bin"))
    (kept,) = (tmp_path / "identifiers").iterdir()
    assert kept.name == f"{first.digest}.sound"
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert Identifier("mine", Path(f"{trained[0]}.bin")).digest == first.digest


def test_word_vectors_are_no_identifier(trained: tuple[Path, list[str]]) -> None:
    with pytest.raises(UnavailableError, match="has no labels"):
        load_identifier(f"{trained[0]}.vectors.bin")


def test_a_classifier_of_something_else(real_data: Path, tmp_path: Path) -> None:
    train(real_data, tmp_path / "moods", dict.fromkeys(CODES, "positive") | {"en": "negative"})
    with pytest.raises(UnavailableError, match="positive, negative"):
        load_identifier(str(tmp_path / "moods.bin"))


def ask_for_glotlid(**environment: str) -> str:
    """What a process of its own says; huggingface_hub reads its environment when it is imported."""
    code = (
        "from lensbench.errors import LensbenchError\nfrom lensbench.grading.fidelity import load_identifier\n"
        "try: print(load_identifier('glotlid').signature)\nexcept LensbenchError as error: print(type(error).__name__, error)"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "LENSBENCH_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **environment}, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def test_glotlid_without_a_network(tmp_path: Path) -> None:
    said = ask_for_glotlid(HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert said.startswith("UnavailableError") and "cis-lmu/glotlid/model_v3.bin" in said
    assert "$LENSBENCH_MODELS/cis-lmu/glotlid/model_v3.bin" in said


def test_glotlid_from_the_shelf(trained: tuple[Path, list[str]], glotlid: Identifier, tmp_path: Path) -> None:
    folder = tmp_path / "cis-lmu" / "glotlid"
    folder.mkdir(parents=True)
    (folder / "model_v3.bin").write_bytes(Path(f"{trained[0]}.bin").read_bytes())
    said = ask_for_glotlid(HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path), LENSBENCH_MODELS=str(tmp_path))
    # It is not GlotLID v3, and is not called so.
    assert said.strip() == f"model_v3.bin:{glotlid.digest[:8]}@0.2"


def test_glotlid_fetched_earlier_needs_no_network(trained: tuple[Path, list[str]], glotlid: Identifier, tmp_path: Path) -> None:
    """The layout of the hub's cache: models--OWNER--NAME/snapshots/COMMIT/FILE."""
    folder = tmp_path / "hub" / "models--cis-lmu--glotlid" / "snapshots" / GLOTLID_REVISION
    folder.mkdir(parents=True)
    (folder / "model_v3.bin").write_bytes(Path(f"{trained[0]}.bin").read_bytes())
    assert ask_for_glotlid(HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)).strip() == f"glotlid:{glotlid.digest[:8]}@0.2"


def test_glotlid_is_called_so_wherever_it_lies(
    trained: tuple[Path, list[str]], glotlid: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lensbench.grading.fidelity.find.GLOTLID_SHA256", glotlid.digest)
    assert load_identifier(f"{trained[0]}.bin").name == "glotlid"
