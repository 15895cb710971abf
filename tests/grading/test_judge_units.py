"""Parts of judging one by one: verdicts and prompts against recorded ones, references, YAML mistakes, money, hashes, tokens."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_run import PROMPTS, write_judge

from lensbench.errors import UsageError
from lensbench.grading.judge import load_judge, read_rating
from lensbench.grading.judge.cache import Reply, ReplyCache
from lensbench.grading.judge.gradings import pick_reference
from lensbench.grading.judge.prompts import FORMS, Form, load_prompts
from lensbench.grading.judge.schema import Prices, PromptFiles
from lensbench.grading.judge.spend import Budget, Usage, cost_usd
from lensbench.grading.judge.tokens import ceiling, token_counter

PRICES = Prices.model_validate({"date": "2026-01-01", "input": 2.5, "cached_input": 1.25, "output": 10.0, "batch_factor": 0.5})


# --- verdicts


def recorded(real_data: Path, language: str = "*") -> list[dict[str, Any]]:
    files = sorted((real_data / "mt_bench" / "judgments").glob(f"{language}/*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").split("\n") if line]


def test_recorded_verdicts_are_read_as_they_were(real_data: Path) -> None:
    records = recorded(real_data)
    assert len(records) == 684
    for record in records:
        found = read_rating(record["judgment"])
        if record["score"] == -1:
            assert found.state != "ok" and found.value is None
        else:
            assert (found.state, found.value) == ("ok", record["score"])


@pytest.mark.parametrize(
    ("text", "state", "value"),
    [
        ("Rating: [[7]]", "ok", 7.0),
        ("Rating: [[7.5]]", "ok", 7.5),
        ("[[10.0]]", "ok", 10.0),
        ("[6]", "ok", 6.0),
        ("see [3] and so [[9]]", "ok", 9.0),
        ("[[4]], on second thought [[8]]", "unparsable", None),
        ("[[1]]", "ok", 1.0),
        ("评分：[[8]]。", "ok", 8.0),
        ("[[11]]", "out_of_range", None),
        ("[[0]]", "out_of_range", None),
        ("[[10.5]]", "out_of_range", None),
        ("[[11]] or rather [[5]]", "out_of_range", None),
        ("[[" + "9" * 400 + "]]", "out_of_range", None),
        ("[[-3]]", "unparsable", None),
        ("[[8/10]]", "unparsable", None),
        ("[[ 8 ]]", "unparsable", None),
        ("[[８]]", "unparsable", None),
        ("[[٨]]", "unparsable", None),
        ("[[八]]", "unparsable", None),
        ("[[rating]]", "unparsable", None),
        ("[[5", "unparsable", None),
        ("8", "unparsable", None),
        ("", "unparsable", None),
        ("$ERROR$", "unparsable", None),
    ],
)
def test_reading_a_verdict(text: str, state: str, value: float | None) -> None:
    found = read_rating(text)
    assert (found.state, found.value) == (state, value)


def test_another_scale() -> None:
    assert read_rating("[[0]]", 0, 5).value == 0.0
    assert read_rating("[[6]]", 0, 5).state == "out_of_range"


# --- prompts


def own_prompts() -> Any:
    return load_prompts(PromptFiles.model_validate({form: f"{form}.jinja" for form in FORMS}), PROMPTS)


def slots(questions: Sequence[str], answers: Sequence[str], references: Sequence[str] = (), language: str = "Chinese") -> Any:
    return {"questions": list(questions), "answers": list(answers), "references": list(references), "language": language}


NASTY = st.sampled_from(
    [
        "{{ questions[0] }}",
        "{% raw %}",
        "{# note #}",
        "{question}",
        "{",
        "}}",
        "{0}",
        "%s",
        "\\n",
        "\r\n",
        "\n\n",
        "  ",
        "[[9]]",
        "<b>&amp;",
        "\u202e",
        "\u2028",
        "\x00",
        "漢字",
        "[Assistant's answer: end]",
        "### User:",
        "e\u0301",
    ]
)


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.lists(NASTY, max_size=4).map("".join), min_size=6, max_size=6), form=st.sampled_from(FORMS))
def test_every_text_is_in_the_prompt_once_and_unchanged(parts: list[str], form: Form) -> None:
    texts = {name: f"<<{name}>>{part}<</{name}>>" for name, part in zip(("q1", "q2", "a1", "a2", "r1", "r2"), parts, strict=True)}
    turns = 1 if form.startswith("turn1") else 2
    q, a, r = ([texts[f"{kind}{turn}"] for turn in range(1, turns + 1)] for kind in "qar")
    with_reference = form.endswith("reference")
    system, user = own_prompts().messages(form, slots(q, a, r if with_reference else []))
    assert (system["role"], user["role"]) == ("system", "user")
    both = system["content"] + user["content"]
    for name, text in texts.items():
        wanted = int(int(name[1]) <= turns and (name[0] != "r" or with_reference))
        # The reference conversation of turn 2 shows the questions as well.
        wanted *= 2 if form == "turn2_reference" and name[0] == "q" else 1
        assert (both.count(text), both.count(f"<<{name}>>")) == (wanted, wanted), (form, name)


def all_slots(name: str) -> str:
    return "".join(f"{{{slot}}}" for slot in ORDER[name])


def fastchat_file(path: Path, templates: Mapping[str, str]) -> Path:
    names = ("single-v1", "single-math-v1", "single-v1-multi-turn", "single-math-v1-multi-turn")
    lines = [
        {
            "name": name,
            "type": "single",
            "system_prompt": "You judge.",
            "prompt_template": templates.get(name, all_slots(name)),
            "description": "",
            "category": "general",
            "output_format": "[[rating]]",
        }
        for name in names
    ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


FORM_OF: dict[str, Form] = {
    "single-v1": "turn1",
    "single-math-v1": "turn1_reference",
    "single-v1-multi-turn": "turn2",
    "single-math-v1-multi-turn": "turn2_reference",
}
ORDER = {
    "single-v1": ("question", "answer"),
    "single-math-v1": ("question", "ref_answer_1", "answer"),
    "single-v1-multi-turn": ("question_1", "answer_1", "question_2", "answer_2"),
    "single-math-v1-multi-turn": (
        "question_1",
        "ref_answer_1",
        "question_2",
        "ref_answer_2",
        "question_1",
        "answer_1",
        "question_2",
        "answer_2",
    ),
}
"""The slots in the order in which they stand in a prompt."""


def literals_of(prompt: str, name: str, known: Mapping[str, str]) -> list[str]:
    """What stands around the slots of one recorded prompt. An answer begins after a heading line and ends before one."""
    pieces, position = [], 0
    order = ORDER[name]
    for index, slot in enumerate(order):
        if slot in known and index and order[index - 1] not in known:
            # An answer ends where the next question's heading begins, which is that of the first question.
            heading = "\n\n" + pieces[0].split("\n")[-2] + "\n"
            position = prompt.index(heading + known[slot], position)
            pieces.append(heading)
            position += len(heading)
        elif slot in known:
            found = prompt.index(known[slot], position)
            pieces.append(prompt[position:found])
            position = found
        else:
            begin = prompt.index("\n", prompt.index("\n\n", position) + 2) + 1
            pieces.append(prompt[position:begin])
            position = begin
            continue
        position += len(known[slot])
    last = "\n\n" if "multi-turn" in name else "\n"
    return [*pieces, prompt[prompt.rindex(last) :]]


def answers_in(prompt: str, name: str, pieces: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    answers: dict[str, str] = {}
    position = 0
    for index, slot in enumerate(ORDER[name]):
        position += len(pieces[index])
        if slot in known:
            position += len(known[slot])
            continue
        following = ORDER[name][index + 1] if index + 1 < len(ORDER[name]) else None
        ending = pieces[index + 1] + (known[following] if following else "")
        end = prompt.index(ending, position) if following else len(prompt) - len(ending)
        answers[slot] = prompt[position:end]
        position = end
    return answers


QUESTIONS = {
    "en": ("en/question.jsonl", "en/reference_answer/gpt-4.jsonl"),
    "ja": ("ja/question_full.jsonl", "ja/reference_answer/gpt-4.jsonl"),
    "bn": ("servicenow/mt_bench_bengali/question.jsonl", "servicenow/mt_bench_bengali/reference_answer/gpt-4.jsonl"),
}


def by_question(path: Path) -> dict[str, dict[str, Any]]:
    return {str(r["question_id"]): r for r in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


@pytest.mark.parametrize(
    ("language", "name", "least"),
    [
        ("en", "single-v1", 6),
        ("en", "single-v1-multi-turn", 6),
        ("ja", "single-v1", 142),
        ("ja", "single-math-v1", 94),
        ("bn", "single-v1", 39),
        ("bn", "single-v1-multi-turn", 38),
        ("bn", "single-math-v1", 21),
        ("bn", "single-math-v1-multi-turn", 22),
    ],
)
def test_fastchats_prompts_word_for_word(real_data: Path, tmp_path: Path, language: str, name: str, least: int) -> None:
    """A template made from one recorded prompt gives all others of its kind, byte for byte."""
    asked, stored = (by_question(real_data / "mt_bench" / path) for path in QUESTIONS[language])
    turns = 2 if "multi-turn" in name else 1
    cases: list[tuple[str, dict[str, str]]] = []
    for record in recorded(real_data, language):
        number = str(record["question_id"]).split("_")[0]
        questions = asked[number]["turns"] if number in asked else None
        if record["judge"][1] != name or questions is None:
            continue
        known = {f"question_{turn}": questions[turn - 1] for turn in (1, 2)} if turns == 2 else {"question": questions[0]}
        if "math" in name:
            texts = stored[number]["choices"][0]["turns"] if number in stored else [None, None]
            known |= {f"ref_answer_{turn}": texts[turn - 1] for turn in range(1, turns + 1)}
        # Some recorded prompts were made from an earlier wording of their question or reference.
        if all(text is not None and text in record["user_prompt"] for text in known.values()):
            cases.append((record["user_prompt"], known))
    assert len(cases) >= least
    # The Japanese ones were made with several wordings; each is a template of its own.
    wordings: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for prompt, known in cases:
        wordings.setdefault(prompt[: prompt.index(known[ORDER[name][0]])], []).append((prompt, known))
    assert len(wordings) <= len(cases) // 3
    for number, mine in enumerate(wordings.values()):
        # The longest answer is the least likely to look like a heading.
        sample, known = max(mine, key=lambda case: len(case[0]))
        pieces = literals_of(sample, name, known)
        template = "".join(
            piece.replace("{", "{{").replace("}", "}}").replace("Bengali", "{lang}") + (f"{{{slot}}}" if slot else "")
            for piece, slot in zip(pieces, [*ORDER[name], ""], strict=True)
        )
        file = fastchat_file(tmp_path / f"{number}.jsonl", {name: template})
        prompts = load_prompts(PromptFiles(fastchat=file.name), tmp_path)
        for prompt, texts in mine:
            answers = answers_in(prompt, name, pieces, texts)
            read = [[t[k] for k in sorted(t) if k.startswith(kind)] for t, kind in ((texts, "q"), (answers, "a"), (texts, "r"))]
            rendered = prompts.messages(FORM_OF[name], slots(*read, language="Bengali"))
            assert rendered == [{"role": "system", "content": "You judge."}, {"role": "user", "content": prompt}]
    assert prompts.name(FORM_OF[name]) == name


def test_texts_with_braces_in_fastchats_format(tmp_path: Path) -> None:
    path = fastchat_file(tmp_path / "p.jsonl", {"single-v1": "{{q}} {question}\u2028[{answer}]"})
    prompts = load_prompts(PromptFiles(fastchat=path.name), tmp_path)
    _, user = prompts.messages("turn1", slots(["{answer} {x!r:>9} {{"], ["{question}}} {0.__class__}"]))
    assert user["content"] == "{q} {answer} {x!r:>9} {{\u2028[{question}}} {0.__class__}]"


@pytest.mark.parametrize("template", ["{nothing}", "{question.__class__}", "{question[0]}", "{", "{0}"])
def test_a_slot_that_is_none(tmp_path: Path, template: str) -> None:
    path = fastchat_file(tmp_path / "p.jsonl", {"single-v1": template})
    with pytest.raises(UsageError, match="single-v1"):
        load_prompts(PromptFiles(fastchat=path.name), tmp_path).messages("turn1", slots(["q"], ["a"]))


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{question}", "the prompt 'single-v1' does not show the answer"),
        ("{answer}", "does not show the question"),
        ("{question} {answer:>1000000000}", "':>1000000000' is not read"),
        (7, "line 1: not a prompt in FastChat's format"),
        (None, "'prompt_template' is no text"),
        (["{question}{answer}"], "'prompt_template' is no text"),
    ],
)
def test_prompt_files_of_a_stranger(tmp_path: Path, template: Any, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        load_prompts(PromptFiles(fastchat=fastchat_file(tmp_path / "p.jsonl", {"single-v1": template}).name), tmp_path)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"9" * 5000, b"[1]", b"\xff", b"{}"])
def test_prompt_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.jsonl").write_bytes(content + b"\n")
    with pytest.raises(UsageError, match=r"p\.jsonl"):
        load_prompts(PromptFiles(fastchat="p.jsonl"), tmp_path)


def test_a_prompt_given_twice_and_a_pipe(tmp_path: Path) -> None:
    path = fastchat_file(tmp_path / "p.jsonl", {})
    path.write_text(path.read_text() * 2)
    with pytest.raises(UsageError, match="line 5: a second prompt 'single-v1'"):
        load_prompts(PromptFiles(fastchat="p.jsonl"), tmp_path)
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(UsageError, match="not a plain file"):
        load_prompts(PromptFiles(fastchat="pipe.jsonl"), tmp_path)


@pytest.mark.parametrize("lost", ["question", "answer", "reference"])
def test_a_template_that_shows_no_part_is_refused(tmp_path: Path, lost: str) -> None:
    parts = {"question": "{{ questions[0] }}", "answer": "{{ answers[0] }}", "reference": "{{ references[0] }}"}
    body = " ".join(text for name, text in parts.items() if name != lost)
    text = f"{{% block system %}}Judge.{{% endblock %}}{{% block user %}}{body}{{% endblock %}}"
    (tmp_path / "p.jinja").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=f"does not show the {lost}"):
        load_judge(str(write_judge(tmp_path / "j.yaml", prompts__turn1_reference=str(tmp_path / "p.jinja"))), model="m")


# --- references


@pytest.mark.parametrize(
    ("doc", "turn", "wanted"),
    [
        ({"category": "math", "reference": ["a", "b"], "reference_answer": ["c", "d"]}, 1, (["a"], "reference")),
        ({"category": "math", "reference": ["a", "b"], "reference_answer": ["c", "d"]}, 2, (["a", "b"], "reference")),
        ({"category": "coding", "reference_answer": ["c", "d"]}, 2, (["c", "d"], "reference_answer")),
        ({"category": "coding", "reference": None, "reference_answer": ["c", "d"]}, 1, (["c"], "reference_answer")),
        ({"category": "reasoning", "reference": [" ", "b"], "reference_answer": ["c", "d"]}, 1, (["c"], "reference_answer")),
        ({"category": "math", "reference": ["a"]}, 1, (["a"], "reference")),
        ({"category": "math", "reference": ["a"]}, 2, ([], "missing")),
        ({"category": "math", "reference": ["a"], "reference_answer": ["c", "d"]}, 2, (["c", "d"], "reference_answer")),
        ({"category": "math", "reference": ["a", ""]}, 2, ([], "missing")),
        ({"category": "math", "reference": []}, 1, ([], "missing")),
        ({"category": "math"}, 1, ([], "missing")),
        ({"category": "writing", "reference": ["a", "b"]}, 1, ([], None)),
        ({"reference": ["a", "b"]}, 1, ([], None)),
    ],
)
def test_picking_a_reference(doc: dict[str, Any], turn: int, wanted: tuple[list[str], str | None]) -> None:
    assert pick_reference(load_judge("gpt-4o"), doc, turn) == wanted


def test_the_order_of_references_is_the_judges(tmp_path: Path) -> None:
    judge = load_judge(str(write_judge(tmp_path / "j.yaml", references={"order": ["reference_answer"]})), model="m")
    doc = {"category": "math", "reference": ["a"], "reference_answer": ["c"]}
    assert pick_reference(judge, doc, 1) == (["c"], "reference_answer")


# --- judge files


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"temprature": 0.5}, "did you mean 'temperature'"),
        ({"retry__atempts": 3}, "did you mean 'attempts'"),
        ({"rating": {"lo": 1}}, "did you mean 'low'"),
        ({"rating": {"low": "one"}}, "rating.low"),
        ({"rating": {"low": 10, "high": 1}}, "low (10) must be below high (1)"),
        ({"rating__tries": 0}, "rating.tries"),
        ({"prompts__turn2": "/nowhere/turn2.jinja"}, "the prompt file cannot be used: /nowhere/turn2.jinja: no such file"),
        ({"prompts": {"turn1": "a"}}, "needs turn1, turn1_reference, turn2 and turn2_reference"),
        ({"prompts": {"fastchat": "/nowhere.jsonl"}}, "/nowhere.jsonl"),
        ({"references": {"order": ["referense"]}}, "references.order"),
        ({"prices__input": -1}, "prices.input"),
        ({"endpoint__timeout_seconds": 0}, "endpoint.timeout_seconds"),
        ({"token_parameter": "max_words"}, "token_parameter"),
    ],
)
def test_mistakes_in_a_judge_file(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = write_judge(tmp_path / "mine.yaml", **change)
    with pytest.raises(UsageError) as caught:
        load_judge(str(path), model="m")
    assert says in str(caught.value)
    if "nowhere" not in says:
        assert f"{path}, line " in str(caught.value)


def test_mistakes_in_naming_a_judge(tmp_path: Path) -> None:
    path = str(write_judge(tmp_path / "mine.yaml"))
    for arguments, says in [
        (("gpt-4", {}), "Did you mean 'gpt-4o'"),
        ((path, {}), "names no model"),
        ((path, {"model": "m", "base_url": "localhost:8000"}), "is no web address"),
        (("local", {"model": "m"}), "names no server"),
        ((str(tmp_path / "none.yaml"), {}), "no such file"),
    ]:
        with pytest.raises(UsageError) as caught:
            load_judge(arguments[0], **arguments[1])
        assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [("{% block system %}{% endblock %}", "no block 'user'"), ("{% block user %}", "line 1"), ("plain", "no block 'system'")],
)
def test_mistakes_in_a_prompt_file(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "p.jinja").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_judge(str(write_judge(tmp_path / "j.yaml", prompts__turn1=str(tmp_path / "p.jinja"))), model="m")
    assert says in str(caught.value) and "p.jinja" in str(caught.value)


# --- money


def test_costs_by_hand() -> None:
    # 600,000 fresh at 2.5, 400,000 cached at 1.25 and 100,000 written at 10 dollars a million: 1.50 + 0.50 + 1.00.
    usage = Usage(1_000_000, 100_000, 400_000)
    assert cost_usd(usage, PRICES) == pytest.approx(3.00)
    assert cost_usd(usage, PRICES, batch=True) == pytest.approx(1.50)
    assert cost_usd(usage, PRICES.model_copy(update={"cached_input": None})) == pytest.approx(3.50)
    assert cost_usd(Usage(0, 0), PRICES) == 0.0


@pytest.mark.parametrize(
    ("content", "usage"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2}, Usage(5, 2, 0)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}, Usage(5, 2, 4)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": None}, Usage(5, 2, 0)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": None}}, Usage(5, 2, 0)),
        ({"prompt_tokens": "5", "completion_tokens": 2.0}, Usage(5, 2, 0)),
        ({"prompt_tokens": 5}, None),
        ({"prompt_tokens": None, "completion_tokens": 2}, None),
        ({"prompt_tokens": "many", "completion_tokens": 2}, None),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": [4]}, None),
        ({"prompt_tokens": -5, "completion_tokens": 2}, None),
        ({"prompt_tokens": 5, "completion_tokens": -2}, None),
        # More cached than there was would make the request cost less than nothing.
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 400}}, None),
        (json.loads('{"prompt_tokens": 1e999, "completion_tokens": 2}'), None),
        (json.loads('{"prompt_tokens": NaN, "completion_tokens": 2}'), None),
        ([], None),
        ("5", None),
        (None, None),
    ],
)
def test_usage_in_odd_shapes(content: Any, usage: Usage | None) -> None:
    assert Usage.read(content) == usage


STEPS = st.lists(
    st.tuples(st.integers(0, 5_000), st.integers(0, 500), st.one_of(st.none(), st.fractions(0, 1)), st.integers(0, 7)),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(cap=st.floats(0.001, 0.2), steps=STEPS)
def test_a_budget_is_never_overdrawn(cap: float, steps: list[tuple[int, int, Fraction | None, int]]) -> None:
    """Requests begin where they fit, and end in any order at any cost up to what was reserved; None: at an unknown one."""
    budget = Budget(PRICES, cap)
    under_way: list[tuple[float, Fraction | None]] = []
    truth, unknown = Fraction(0), 0

    def end(reserved: float, share: Fraction | None) -> None:
        nonlocal truth, unknown
        if share is None:
            budget.settle_unknown(reserved)
            truth, unknown = truth + Fraction(reserved), unknown + 1
        else:
            budget.settle(reserved, float(share) * reserved)
            truth += Fraction(float(share) * reserved)

    for prompt, completion, share, which in steps:
        most = budget.most(prompt, completion)
        if budget.fits(most):
            budget.reserve(most)
            under_way.append((most, share))
        assert budget.waiting_could_help is bool(under_way)
        if under_way and which < len(under_way):
            end(*under_way.pop(which))
        assert truth + sum(Fraction(reserved) for reserved, _ in under_way) <= Fraction(cap) * (1 + Fraction(1, 10**9))
    for reserved, share in under_way:
        end(reserved, share)
    assert float(truth) == pytest.approx(budget.spent_usd) and budget.unknown == unknown
    # Else the last requests would wait for ever for money that nobody holds.
    assert not budget.waiting_could_help


def test_a_cap_needs_prices() -> None:
    with pytest.raises(UsageError, match="needs prices"):
        Budget(None, 1.0)
    with pytest.raises(UsageError, match="above 0"):
        Budget(PRICES, 0.0)
    assert Budget(None).fits(1e9) and Budget(None).most(10, 10) == 0.0


# --- cache and hashes

REPLY = Reply("结论 \ud83d \u2028 [[7]]", "m", "fp", {"prompt_tokens": 1}, "stop", None, 0.5, 2)


def test_a_reply_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path)
    assert cache.get("ab12") is None
    cache.put("ab12", REPLY)
    assert cache.get("ab12") == REPLY and cache.get("ab13") is None
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ab12.json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:-5],
        lambda whole: b"\xff\xfe\x00" + whole,
        lambda whole: b"[]",
        lambda whole: b"null",
        lambda whole: b'{"request": "ab12"}',
        lambda whole: b'{"request": "ab12", "reply": {"text": "x"}}',
        lambda whole: whole.replace(b"ab12", b"ab99"),
        lambda whole: whole.replace(b'"text"', b'"txet"'),
        lambda whole: whole[: len(whole) // 2] + bytes(len(whole) // 2),
    ],
)
def test_a_damaged_entry_is_a_miss(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    cache = ReplyCache(tmp_path)
    cache.put("ab12", REPLY)
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get("ab12") is None
    cache.put("ab12", REPLY)
    assert cache.get("ab12") == REPLY


def _put_all(folder: Path, go: Any, done: Any) -> None:
    cache = ReplyCache(folder)
    go.wait()
    for number in range(60):
        cache.put(f"{number:04}", REPLY)
    done.put("done")


def test_two_processes_write_the_same_entries(tmp_path: Path) -> None:
    forks = multiprocessing.get_context("forkserver")
    go, done = forks.Event(), forks.Queue()
    workers = [forks.Process(target=_put_all, args=(tmp_path, go, done)) for _ in range(3)]
    for worker in workers:
        worker.start()
    go.set()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert all(ReplyCache(tmp_path).get(f"{number:04}") == REPLY for number in range(60))
    assert len(list(tmp_path.rglob("*.*"))) == 60


def test_a_request_is_known_by_everything_in_it(tmp_path: Path) -> None:
    changes: dict[str, dict[str, Any]] = {
        "": {},
        "temperature": {"temperature": 0.5},
        "no temperature": {"temperature": None},
        "length": {"max_tokens": 201},
        "parameter": {"token_parameter": "max_completion_tokens"},
    }
    judges = {
        name: load_judge(str(write_judge(tmp_path / "j.yaml", **change)), model="m", base_url="http://a/v1")
        for name, change in changes.items()
    }
    path = str(write_judge(tmp_path / "j.yaml"))
    judges["model"] = load_judge(path, model="n", base_url="http://a/v1")
    judges["address"] = load_judge(path, model="m", base_url="http://b/v1")
    messages = {
        "": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "system": [{"role": "system", "content": "t"}, {"role": "user", "content": "u"}],
        "user": [{"role": "system", "content": "s"}, {"role": "user", "content": "u "}],
        "order": [{"role": "user", "content": "u"}, {"role": "system", "content": "s"}],
        "role": [{"role": "system", "content": "s"}, {"role": "assistant", "content": "u"}],
        "border": [{"role": "system", "content": "su"}, {"role": "user", "content": ""}],
    }
    hashes = {
        (name, said, repeat, attempt): judge.request_hash(judge.body(messages[said]), repeat, attempt)
        for (name, judge), said, repeat, attempt in itertools.product(judges.items(), messages, (0, 1, 2), (0, 1))
    }
    assert len(set(hashes.values())) == len(hashes)
    again = load_judge(path, model="m", base_url="http://a/v1")
    assert again.request_hash(again.body(messages[""]), 0, 0) == hashes["", "", 0, 0]
    assert len({judge.signature for judge in judges.values()}) == len(judges) - 1, "the name of a parameter decides nothing"


# --- tokens

MESSAGES = [{"role": "system", "content": "You judge."}, {"role": "user", "content": "评分 naïve [[5]]\n"}]


def test_the_served_models_own_tokenizer(tiny_model_dir: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    wanted = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, tokenize=True, return_dict=False)
    assert token_counter(str(tiny_model_dir)).count(MESSAGES) == len(wanted)


def test_no_request_has_more_tokens_than_its_ceiling(tiny_model_dir: Path) -> None:
    counter = token_counter(str(tiny_model_dir))
    message = st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": st.text(max_size=80)})

    @settings(max_examples=100, deadline=None)
    @given(messages=st.lists(message, min_size=1, max_size=3))
    def holds(messages: list[dict[str, str]]) -> None:
        assert counter.count(messages) <= ceiling(messages)
        # The worst vocabulary: one token a byte. OpenAI's format adds three to a message and to the reply, and the role.
        worst = sum(len(m["content"].encode()) + len(m["role"]) + 3 for m in messages) + 3
        assert worst <= ceiling(messages)

    holds()
