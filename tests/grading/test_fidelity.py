"""Language identification with lid.176 on real sentences, and answers that are no sentences."""

from __future__ import annotations

import csv
import json
import sys
import time
import types
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lensbench.errors import UnavailableError, UsageError
from lensbench.grading.fidelity import Identifier, answered_cell, line_cells, load_identifier
from lensbench.languages import get_language, languages


@pytest.fixture(scope="module")
def lid() -> Identifier:
    return load_identifier()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "The river runs past the old mill and into the sea."),
        ("zh", "这条河流过老磨坊，最后流进大海。"),
        ("ja", "この川は古い水車小屋のそばを流れて海に注ぎます。"),
        ("ko", "이 강은 오래된 방앗간을 지나 바다로 흘러갑니다."),
        ("ar", "يمر النهر بجانب الطاحونة القديمة ثم يصب في البحر."),
        ("bn", "নদীটি পুরোনো কলের পাশ দিয়ে বয়ে সাগরে মেশে।"),
        ("sw", "Mwalimu aliwaambia wanafunzi wasome vitabu vyao kwa makini kabla ya mtihani."),
    ],
)
def test_identifies(lid: Identifier, code: str, text: str) -> None:
    found = lid.identify(text)
    assert lid.strict(found.label, get_language(code)) and lid.lenient(found.label, get_language(code))
    assert not lid.lenient(found.label, get_language("de"))
    assert lid.language(found.label) == answered_cell(text, lid) == code
    assert found.probability is not None and 0.5 < found.probability <= 1


@pytest.mark.parametrize("empty", ["", " \n\t ", "\u3000", "\0 \0", " </s>\n"])
def test_an_empty_answer_is_its_own_state(lid: Identifier, empty: str) -> None:
    label = lid.identify(empty).label
    assert label is None and lid.unknown(label)
    assert not lid.strict(None, get_language("en")) and lid.language(None) is None


SWAHILI = "Mwalimu aliwaambia wanafunzi wasome vitabu vyao kwa makini."


@pytest.mark.parametrize(
    "text",
    [
        SWAHILI.replace(" ", "\r\n"),
        f"</s> {SWAHILI}",  # to fastText alone this is an empty line
        SWAHILI.replace(" ", "\0"),
        f"\u200f{SWAHILI}\u202e",
        f"{SWAHILI} \ud83d",
        f"\x01\x02\x1b[0m {SWAHILI}",
        f"{SWAHILI} " * 2000,  # 120,000 characters
    ],
    ids=["lines", "end-mark", "nul", "directions", "lone-surrogate", "controls", "long"],
)
def test_odd_characters_do_not_hide_the_language(lid: Identifier, text: str) -> None:
    assert lid.identify(text).label == "sw"
    assert line_cells(text, lid)


@pytest.mark.parametrize("text", ["\x01", "\ud800", "\u202e", "x" * 100_000, "😀😀", "__label__sw", "\x00\x01", "1" * 100_000])
def test_odd_answers_do_not_break_it(lid: Identifier, text: str) -> None:
    assert lid.identify(text).label is not None


def test_its_name_and_digest_are_known(lid: Identifier) -> None:
    # SHA-256 of lid.176.ftz as the package on the registry carries it; its name says how many languages it has.
    assert lid.digest == "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
    assert lid.signature == "lid176:8f3472cf@0.2" and load_identifier("lid176@0").signature == "lid176:8f3472cf"
    assert len(lid.labels) == 176
    assert lid.missing() == () and all(lid.covers(language) for language in languages().values())


@pytest.fixture
def other_package(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put another module in the place of the installed `fasttext`."""

    def put(**names: object) -> None:
        module = types.ModuleType("fasttext")
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, "fasttext", module)

    return put


def test_a_package_that_breaks_under_numpy_2(other_package: Callable[..., None]) -> None:
    """fasttext 0.9.3, and fasttext-wheel 0.9.2, end `predict` like this."""

    class Model:
        def predict(self, text: str, k: int = 1, threshold: float = 0.0):
            import numpy

            return ("__label__en",), numpy.array((0.9,), copy=False)

    other_package(load_model=lambda path: Model())
    with pytest.raises(UnavailableError, match="Unable to avoid copy") as caught:
        load_identifier()
    assert "fasttext-predict" in str(caught.value.hint) and "fasttext-community" in str(caught.value.hint)


def test_a_module_of_that_name_that_is_not_fasttext(other_package: Callable[..., None]) -> None:
    other_package()
    with pytest.raises(UnavailableError, match="load_model"):
        load_identifier()


def test_no_package_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fasttext", None)
    with pytest.raises(UnavailableError, match=r"lensbench\[lid\]"):
        load_identifier()


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "is empty"), (b"hello, this is text\n", "not a fastText model"), (b"ab", "not a fastText model")]
)
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "not.ftz"
    path.write_bytes(content)
    for load in (lambda: Identifier("mine", path), lambda: load_identifier(str(path))):
        with pytest.raises(UnavailableError, match=says):
            load()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("glotlidd", "Did you mean 'glotlid'"),
        ("lid-176", "Did you mean 'lid176'"),
        ("lid.176", "Did you mean 'lid176'"),
        ("no/such.bin", "'no/such.bin' is no file"),
        ("/", "is a folder"),
    ],
)
def test_a_name_that_is_none(name: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_identifier(name)
    assert says in str(caught.value) and "glotlid, lid176" in str(caught.value)


def ntrex(real_data: Path, code: str) -> list[str]:
    (path,) = (real_data / "ntrex" / "NTREX-128").glob(f"*.{get_language(code).code_in('ntrex')}.txt")
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.real
@pytest.mark.parametrize(
    ("code", "least"), [("en", 0.93), ("zh", 0.93), ("ja", 0.93), ("ko", 0.93), ("ar", 0.93), ("bn", 0.93), ("sw", 0.8)]
)
def test_on_real_sentences(lid: Identifier, real_data: Path, code: str, least: float) -> None:
    lines = ntrex(real_data, code)[:200]
    right = sum(lid.strict(lid.identify(line).label, get_language(code)) for line in lines)
    assert right / len(lines) >= least


@pytest.mark.real
def test_fifty_thousand_short_answers_in_twenty_seconds(lid: Identifier, real_data: Path) -> None:
    with (real_data / "multiq" / "MultiQ.csv").open(encoding="utf-8", newline="") as stream:
        prompts = [row["prompt"] for row in csv.DictReader(stream)]
    texts = (prompts * (50_000 // len(prompts) + 1))[:50_000]
    began = time.perf_counter()
    for text in texts:
        lid.identify(text)
    assert time.perf_counter() - began < 20


@pytest.mark.real
@pytest.mark.parametrize("code", ["sw", "zh", "ja"])
def test_lines_of_long_answers_with_code(lid: Identifier, real_data: Path, code: str) -> None:
    path = real_data / f"arena_hard_answers/arena-hard-v0.1-{code}/model_answer/gpt-4o-2024-11-20.jsonl"
    answers = [json.loads(line)["choices"][0]["turns"][0]["content"] for line in path.read_text(encoding="utf-8").splitlines()]
    counts: Counter[str] = Counter()
    for text in answers:
        cells = line_cells(text, lid)
        assert len(cells) == sum(bool(line.strip()) for line in text.splitlines())
        # Every fence is a line of code; the text between the first two is, too.
        assert cells.count("code") >= sum(line.lstrip().startswith("```") for line in text.splitlines())
        assert ("code" in cells) == ("```" in text)
        counts.update(cells)
    prose = sum(counts.values()) - counts["code"] - counts["too_short"] - counts["unknown"]
    assert counts[code] / prose > 0.5
    assert counts[code] == max(count for cell, count in counts.items() if cell != "code")
