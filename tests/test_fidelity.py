"""Language identification with the real fastText model."""

from __future__ import annotations

from pathlib import Path

import pytest

from lensbench.errors import UnavailableError
from lensbench.fidelity import Identifier, load_identifier
from lensbench.languages import get_language


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
    assert lid.matches(lid.identify(text).label, get_language(code))
    assert not lid.matches(lid.identify(text).label, get_language("de"))


@pytest.mark.parametrize("empty", ["", " \n\t ", "\u3000"])
def test_an_empty_answer_is_its_own_state(lid: Identifier, empty: str) -> None:
    assert lid.identify(empty).label is None
    assert not lid.matches(None, get_language("en"))


def test_odd_text_does_not_break_it(lid: Identifier) -> None:
    for text in ("a\nb\r\nc", "\x00\x01", "‮abc", "x" * 100_000, "😀😀"):
        assert lid.identify(text).label is not None


def test_its_name_and_digest_are_known(lid: Identifier) -> None:
    # SHA-256 of lid.176.ftz as the package on the registry carries it.
    assert lid.digest == "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "not.ftz"
    path.write_bytes(b"hello")
    with pytest.raises(UnavailableError, match="not a fastText model"):
        Identifier("mine", path)


@pytest.mark.real
@pytest.mark.parametrize(
    ("code", "least"), [("en", 0.93), ("zh", 0.93), ("ja", 0.93), ("ko", 0.93), ("ar", 0.93), ("bn", 0.93), ("sw", 0.8)]
)
def test_on_real_sentences(lid: Identifier, imported: Path, code: str, least: float) -> None:
    from lensbench.data import load_rows_spec, open_data

    rows = open_data(str(imported)).load(load_rows_spec("ntrex"), get_language(code), "test").rows[:200]
    right = sum(lid.matches(lid.identify(row["text"]).label, get_language(code)) for row in rows)
    assert right / len(rows) >= least
