"""Cells of answers and of their lines, and matrices of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensbench.grading.fidelity import (
    SPECIAL,
    Identifier,
    Matrix,
    answered_cell,
    build_matrices,
    change,
    line_cells,
    load_identifier,
)
from lensbench.grading.fidelity.matrix import AnsweredIn, Level
from lensbench.languages import languages

SWAHILI = "Mwalimu aliwaambia wanafunzi wasome vitabu vyao kwa makini."
CHINESE = "这条河流过老磨坊，最后流进大海。"


@pytest.fixture(scope="module")
def lid() -> Identifier:
    return load_identifier()


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        (SWAHILI, "sw"),
        ("Læreren sa at elevene skulle lese bøkene sine nøye før prøven i morgen.", "no"),  # not in the table
        (" \n\t", "empty"),
        ("\u3000", "empty"),
        ("12 + 30 = 42", "too_short"),
        ("A.", "too_short"),
        ("C) No", "sw or other"),
        ("是", "too_short"),
        ("河流", "zh"),
        ("はい", "ja"),
        ("서울", "ko"),
        ("|---|---|", "too_short"),
        ("```\nprint(1)\n```\n\n", "code"),
        ("```python\nprint(1)", "code"),
        (f"```\nprint(1)\n```\n{SWAHILI}", "sw"),
        ("`print(open(path).read())`", "not code"),  # a span is a line of text
    ],
)
def test_cells_of_answers(lid: Identifier, text: str, cell: str) -> None:
    found = answered_cell(text, lid)
    if " " in cell:
        assert found not in SPECIAL
    else:
        assert found == cell


def test_no_language_is_unknown(lid: Identifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lid._model, "predict", lambda line, k: (("__label__zxx_Zzzz",), (0.9,)))
    assert answered_cell("abc def", lid) == "unknown"
    monkeypatch.setattr(lid._model, "predict", lambda line, k: ((), ()))
    assert answered_cell("abc def", lid) == "unknown"


def test_cells_of_lines(lid: Identifier) -> None:
    text = f"{SWAHILI}\n\n1.\n  ```python\n\n  x = 1\n  ```\n{CHINESE}\r\n"
    assert line_cells(text, lid) == ["sw", "too_short", "code", "code", "code", "zh"]
    assert line_cells("", lid) == []


def record(language: str, cell: str, *lines: str, variant: str = "base", turn: int = 1) -> AnsweredIn:
    return AnsweredIn(language, variant, turn, cell, lines)


RECORDS = [
    record("sw", "sw", "sw", "sw", "code"),
    record("sw", "en", "en"),
    record("sw", "nob_Latn", "sw", "nob_Latn"),
    record("sw", "empty"),
    record("zh", "zh", "zh", "en"),
    record("zh", "zh", turn=2),
    record("sw", "sw", "sw", variant="lens"),
    record("zh", "empty", variant="lens"),
]


def test_answers_by_hand() -> None:
    base, second, lens = build_matrices(RECORDS)
    assert (base.variant, base.turn, second.turn, lens.variant) == ("base", 1, 2, "lens")
    # Languages in the order of the table, where zh comes before sw; other labels; then what is no language.
    assert base.asked == ("zh", "sw")
    assert base.answered == ("en", "zh", "sw", "nob_Latn", "empty")
    assert base.counts == ((0, 1, 0, 0, 0), (1, 0, 1, 1, 1))
    assert base.totals == (1, 4)
    assert base.share("sw", "en") == 0.25 and base.share("sw", "ja") == 0.0 and base.share("ko", "ko") is None
    assert second.counts == ((1,),)


def test_lines_by_hand() -> None:
    base, second, _ = build_matrices(RECORDS, "line")
    assert base.answered == ("en", "zh", "sw", "nob_Latn", "code")
    assert base.counts == ((1, 1, 0, 0, 0), (1, 0, 3, 1, 1))
    # An answer without lines is a row of nothing, which has no shares.
    assert (second.asked, second.answered, second.totals) == (("zh",), (), (0,))
    assert second.share("zh", "zh") is None


def test_change_by_hand() -> None:
    base, second, lens = build_matrices(RECORDS)
    moved = change(base, lens)
    assert (moved.base, moved.variant, moved.asked) == ("base", "lens", ("zh", "sw"))
    assert moved.answered == ("en", "zh", "sw", "nob_Latn", "empty")
    assert moved.shares == ((0, -1, 0, 0, 1), (-0.25, 0, 0.75, -0.25, -0.25))
    with pytest.raises(ValueError, match="turn 1 cannot be compared with answer, turn 2"):
        change(base, second)
    lines = build_matrices(RECORDS, "line")
    assert change(lines[0], lines[2]).shares[0] is None  # no line of zh in one of them


cells = st.sampled_from([*list(languages())[:4], "nob_Latn", "gsw", *SPECIAL])
records = st.lists(
    st.builds(
        record,
        st.sampled_from(list(languages())[:5]),
        cells,
        variant=st.sampled_from(["base", "lens", "xsft"]),
        turn=st.integers(1, 2),
    ).flatmap(lambda r: st.lists(cells, max_size=4).map(lambda lines: r._replace(lines=lines))),
    max_size=40,
)
levels = st.sampled_from(["answer", "line"])


def counted(rows: list[AnsweredIn], level: Level) -> Counter[tuple[str, ...]]:
    """(variant, turn, asked, answered) counted the plain way."""
    return Counter((r.variant, r.turn, r.language, cell) for r in rows for cell in ([r.cell] if level == "answer" else r.lines))


@given(records, levels)
def test_every_answer_and_line_is_in_one_cell(rows: list[AnsweredIn], level: Level) -> None:
    matrices = build_matrices(rows, level)
    found = {
        (m.variant, m.turn, asked, answered): m.count(asked, answered)
        for m in matrices
        for asked in m.asked
        for answered in m.answered
    }
    assert Counter({k: v for k, v in found.items() if v}) == counted(rows, level)
    for matrix in matrices:
        mine = [r for r in rows if (r.variant, r.turn) == (matrix.variant, matrix.turn)]
        assert set(matrix.asked) == {r.language for r in mine}
        for asked, total in zip(matrix.asked, matrix.totals, strict=True):
            theirs = [r for r in mine if r.language == asked]
            assert total == (len(theirs) if level == "answer" else sum(len(r.lines) for r in theirs))
            shares = [matrix.share(asked, cell) for cell in matrix.answered]
            assert sum(s for s in shares if s is not None) == pytest.approx(1) if total else set(shares) <= {None}
        assert all(any(column) for column in zip(*matrix.counts, strict=True))
        assert len(set(matrix.answered)) == len(matrix.answered)
        assert json.loads(json.dumps(matrix.as_dict()))["totals"] == list(matrix.totals)


@given(records, st.randoms(), levels)
def test_the_order_of_records_does_not_matter(rows: list[AnsweredIn], random: Any, level: Level) -> None:
    def by_name(matrices: list[Matrix]) -> dict[tuple[str, int], Matrix]:
        return {(m.variant, m.turn): m for m in matrices}

    shuffled = random.sample(rows, len(rows))
    assert by_name(build_matrices(rows, level)) == by_name(build_matrices(shuffled, level))


@given(records, levels)
def test_changes_sum_to_nothing_and_turn_around(rows: list[AnsweredIn], level: Level) -> None:
    matrices = build_matrices(rows, level)
    for base in matrices:
        for other in (m for m in matrices if m.turn == base.turn):
            there, back = change(base, other), change(other, base)
            assert (there.asked, there.answered) == (back.asked, back.answered)
            for asked, row, reverse in zip(there.asked, there.shares, back.shares, strict=True):
                shared = all(dict(zip(m.asked, m.totals, strict=True)).get(asked) for m in (base, other))
                assert (row is not None) == bool(shared)
                if row is not None and reverse is not None:
                    assert sum(row) == pytest.approx(0, abs=1e-12)
                    assert all(-1 <= value <= 1 for value in row)
                    assert [-value for value in reverse] == pytest.approx(list(row))
            assert json.loads(json.dumps(there.as_dict()))["base"] == base.variant
