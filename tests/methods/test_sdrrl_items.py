"""SDRRL's examples: combinations against a slow, obvious version; code-switching; cut texts; loss on the answer only."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from chat_tokenizers import ENDS, SPECIALS, learned, tokenizer_of
from sdrrl_items import chosen

from lensbench.engines.chat import encode_prompt, render_chat
from lensbench.errors import DataError, UsageError
from lensbench.languages import get_language
from lensbench.methods.sdrrl.config import ALL_COMBOS, SdrrlConfig
from lensbench.methods.sdrrl.corpora import SdrrlCorpora
from lensbench.methods.sdrrl.items import combined, cut_in_two, parallel_part
from lensbench.methods.sdrrl.lexicon import code_switch, read_lexicon, words
from lensbench.methods.sft.encode import IGNORED, Example, chat_layout, encode_all


def made_up(corpora: SdrrlCorpora, *, drop: int) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """An answer to every question but each `drop`-th, and a translation of every answer but each `drop`-th."""
    asked = [corpora.questions["en"][i] for i in corpora.asked]
    answers = {question: f"answer to {question}" for number, question in enumerate(asked) if number % drop}
    translations = {
        code: {text: f"{code}: {text}" for number, text in enumerate(answers.values()) if number % drop} for code in corpora.own
    }
    return answers, translations


@pytest.mark.parametrize("scope", ["total", "per_target"])
@pytest.mark.parametrize("targets", [("zh",), ("zh", "sw")])
@pytest.mark.parametrize("translator", ["self", "none"])
def test_combinations_equal_a_slow_version(targets: tuple[str, ...], scope: str, translator: str) -> None:
    corpora, config = chosen(*targets, n_scope=scope, n_parallel=8, translator=translator)
    answers, translations = made_up(corpora, drop=5)
    if translator == "none":
        translations = {}
    expected: Counter[tuple[str, str, str]] = Counter()
    english_pairs = set()
    for code in targets:
        for i in corpora.own[code]:
            q_en, q_l = corpora.questions["en"][i], corpora.questions[code][i]
            if q_en not in answers:
                continue
            english_pairs.add((q_en, answers[q_en]))
            expected[q_l, answers[q_en], f"{code}-en"] += 1
            if answers[q_en] in translations.get(code, {}):
                a_l = translations[code][answers[q_en]]
                expected[q_l, a_l, f"{code}-{code}"] += 1
                expected[q_en, a_l, f"en-{code}"] += 1
    expected.update((question, answer, "en-en") for question, answer in english_pairs)
    items = combined(corpora, config, answers, translations)
    assert Counter((e.question, e.answer, e.pool) for e in items.examples) == expected
    per_target = 12 if scope == "per_target" else 12 // len(targets)
    assert [len(ids) for ids in corpora.own.values()] == [per_target] * len(targets) and len(corpora.asked) == 12
    assert items.pools["en-en"]["possible"] == 12, "once, not once for each target"
    for pool, counts in items.pools.items():
        assert counts["made"] == sum(n for key, n in expected.items() if key[2] == pool)
        assert counts["possible"] == counts["made"] + counts["without_answer"] + counts["without_translation"]
    assert ("zh-zh" in items.pools) == (translator != "none")


def test_the_papers_four_thousand() -> None:
    """Four combinations and the parallel part of 800 each, with one target language; shares with three."""
    corpora, config = chosen("zh", rows=1700, n=800)
    answers = dict.fromkeys(corpora.questions["en"].values(), "a")
    translations = {"zh": {"a": "b"}}
    items = [combined(corpora, config, answers, translations), parallel_part(corpora)]
    assert sum(len(part.examples) for part in items) == 4000
    assert {pool: c["made"] for part in items for pool, c in part.pools.items()} == {
        "en-en": 800,
        "zh-zh": 800,
        "zh-en": 800,
        "en-zh": 800,
        "translate/en-zh": 200,
        "translate/zh-en": 200,
        "complete/zh": 400,
    }
    corpora, config = chosen("zh", "sw", "ja", rows=1700, n=800)
    assert [len(ids) for ids in corpora.own.values()] == [267, 267, 266]


def test_the_parallel_part_is_of_other_questions() -> None:
    corpora, _ = chosen("zh", "sw", n=10, n_parallel=18)
    items = parallel_part(corpora)
    used = {i for ids in corpora.parallel.values() for i in ids}
    assert len(used) == 18 and not used & set(corpora.asked)
    by_text = {text: (code, i) for code, sides in corpora.questions.items() for i, text in sides.items()}
    names = {"en": "English", "zh": "Chinese", "sw": "Swahili"}
    directions = []
    for example in items.examples:
        head, _, text = example.question.partition("\n\n")
        if example.pool.startswith("translate/"):
            (source, i), (target, j) = by_text[text], by_text[example.answer]
            assert i == j and example.pool == f"translate/{source}-{target}"
            assert head == f"Translate the following text from {names[source]} into {names[target]}."
            directions.append(example.pool)
        else:
            code = example.pool.removeprefix("complete/")
            whole = text + (" " if get_language(code).spaced else "") + example.answer
            assert by_text[whole][0] == code and names[code] in head
    assert directions == ["translate/en-zh", "translate/zh-en"] * 2 + ["translate/en-zh"] + [
        "translate/en-sw",
        "translate/sw-en",
        "translate/en-sw",
        "translate/sw-en",
        "translate/en-sw",
    ]
    assert sum(e.pool.startswith("complete/") for e in items.examples) == 8


def test_texts_are_cut_near_their_middle() -> None:
    zh, sw, th = get_language("zh"), get_language("sw"), get_language("th")
    assert cut_in_two("aaa bbb ccc ddd", sw) == ("aaa bbb", "ccc ddd")
    assert cut_in_two("一二三四五六", zh) == ("一二三", "四五六")
    assert cut_in_two("用Python写程序", zh) in {("用", "Python写程序"), ("用Python", "写程序")}
    assert [cut_in_two(text, sw) for text in ("neno", "", "  ")] == [None, None, None]
    assert [cut_in_two(text, zh) for text in ("字", "2024")] == [None, None]
    draw = random.Random(3)
    for _ in range(300):
        for language, alphabet in ((sw, "ab  \n,."), (zh, "一二三，。 a1"), (th, "กขค่้ี ำ")):
            text = "".join(draw.choices(alphabet, k=draw.randrange(1, 30))).strip()
            parts = cut_in_two(text, language)
            if parts is None:
                continue
            beginning, rest = parts
            assert beginning == beginning.rstrip() and rest == rest.strip() and beginning and rest
            assert re.fullmatch(re.escape(beginning) + r"\s*" + re.escape(rest), text)
            if language is sw:
                assert text[len(beginning)].isspace(), "a word is never parted"
                places = [m.end() for m in re.finditer(r"\s+(?=\S)", text)]
                assert abs(2 * text.rindex(rest) - len(text)) <= min(abs(2 * place - len(text)) for place in places)


def test_the_hint_names_the_language_only_where_it_is_another() -> None:
    corpora, config = chosen("zh", answer_language_hint=True)
    answers, translations = made_up(corpora, drop=100)
    for example in combined(corpora, config, answers, translations).examples:
        asked, _, answered = example.pool.partition("-")
        hint = {"zh": "\n\nAnswer in Chinese.", "en": "\n\nAnswer in English."}[answered]
        assert example.question.endswith(hint) == (asked != answered)


LEXICON = "cat\tpaka\ndog\tmbwa\nCat\tnyau\nhouse\tnyumba\nice cream\taiskrimu\ndon't\tusi\n"


def test_code_switching_replaces_whole_words_only(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + LEXICON.replace("\n", "\r\n").encode())
    lexicon = read_lexicon(path)
    assert (lexicon.entries, lexicon.phrases) == (6, 1)
    assert lexicon.to_target["cat"] == ("paka", "nyau") and lexicon.to_central["mbwa"] == ("dog",)
    text = "A CAT, a catalogue; don't dog-tag the bobcat. House!"
    switched, covered, replaced = code_switch(text, lexicon.to_target, 1.0, random.Random(0))
    assert re.fullmatch(r"A (Paka|Nyau), a catalogue; usi mbwa-tag the bobcat\. Nyumba!", switched)
    assert covered == replaced == 4
    assert code_switch(text, lexicon.to_target, 0.0, random.Random(0)) == (text, 4, 0)
    # Bengali vowel signs are marks: a word is not parted at them, and a shorter word inside it is not found.
    bengali = "আমার বাংলাদেশ"
    assert [bengali[a:b] for a, b in words(bengali)] == ["আমার", "বাংলাদেশ"]
    assert code_switch(bengali, {"বাংল": ("x",), "আম": ("y",)}, 1.0, random.Random(0))[0] == bengali


def test_code_switching_keeps_what_it_should() -> None:
    table = {"cat": ("paka", "nyau"), "dog": ("mbwa",), "the": ("ile",)}
    draw = random.Random(5)
    total = swapped = 0
    for number in range(400):
        text = "".join(draw.choice(["cat", "Dog", "the", "cats", " ", ", ", "\n", "é", "-"]) for _ in range(12))
        known = sum(text[a:b].lower() in table for a, b in words(text))
        previous: tuple[str, int] | None = None
        for p in (0.1, 0.3, 0.8):
            result, covered, replaced = code_switch(text, table, p, random.Random(number))
            assert covered == known and replaced <= covered
            assert re.sub(r"\w+", "", result) == re.sub(r"\w+", "", text), "what stands between words is as it was"
            before, after = ([s[a:b] for a, b in words(s)] for s in (text, result))
            assert sum(x != y for x, y in zip(before, after, strict=True)) == replaced
            assert all(x == y or y.lower() in table[x.lower()] for x, y in zip(before, after, strict=True))
            assert previous is None or previous[1] <= replaced, "more are replaced at a higher probability"
            previous = (result, replaced)
            if p == 0.3:
                total, swapped = total + covered, swapped + replaced
        assert code_switch(text, table, 0.3, random.Random(number)) == code_switch(text, table, 0.3, random.Random(number))
    # 0.3 within four standard deviations of a binomial.
    assert abs(swapped / total - 0.3) < 4 * (0.3 * 0.7 / total) ** 0.5


def test_only_questions_are_switched_and_chinese_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "zh.tsv").write_text("question\t问题\n", encoding="utf-8")
    (tmp_path / "sw.tsv").write_text("question\tswali\n", encoding="utf-8")
    corpora, config = chosen("zh", "sw", code_switch=1.0, lexicon=str(tmp_path / "{language}.tsv"), n_scope="per_target")
    answers, translations = made_up(corpora, drop=100)
    items = combined(corpora, config, answers, translations)
    by_pool: dict[str, list[str]] = {}
    for example in items.examples:
        by_pool.setdefault(example.pool, []).append(example.question)
        assert "uestion" in example.answer, "answers keep their words"
    assert all(q.startswith("问题 ") for q in by_pool["en-zh"]) and all(q.startswith("Swali ") for q in by_pool["en-sw"])
    assert {q.split()[0] for q in by_pool["en-en"]} == {"问题", "Swali"}, "the targets take turns"
    assert all(q.startswith("Question hili") for q in by_pool["sw-en"])
    assert all(q.startswith("问题很长") for q in by_pool["zh-en"]), "no words are set apart there"
    # 12 English ones, 12 for each combination with a target; two of the seven pools ask in Chinese.
    assert items.switched["questions"] == 7 * 12 and items.switched["without_word_spacing"] == 2 * 12
    assert items.switched["words_in_lexicon"] == items.switched["words_replaced"] == 5 * 12


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cat\tpaka\nno tab here\n", r"line 2: .* two columns .* found 1: 'no tab here'"),
        (b"cat\tpaka\n\ndog\tmbwa\tumbwa\n", "line 3: .* found 3"),
        (b"cat\t \n", "line 1: .* two columns"),
        (b"cat\tpaka\n\xff\xfe\tx\n", "line 2: not UTF-8"),
        (b"\n \n", "no entry"),
    ],
)
def test_a_wrong_lexicon_names_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "l.tsv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        chosen("zh", code_switch=0.2, lexicon=str(tmp_path / "l.tsv"))


def test_what_can_be_checked_is_checked_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a target language"):
        chosen()
    with pytest.raises(DataError, match=r"12 questions and 12 others .* in English, Chinese; made has 20: 20 ids") as caught:
        chosen("zh", rows=20)
    assert "n=10 would do" in str(caught.value)
    with pytest.raises(UsageError, match=r"code_switch=0.1 needs a file"):
        chosen("zh", code_switch=0.1)
    with pytest.raises(UsageError, match="lexicon: no file at"):
        chosen("zh", code_switch=0.1, lexicon=str(tmp_path / "none.tsv"))
    with pytest.raises(UsageError, match="one file for 2 target languages"):
        chosen("zh", "sw", code_switch=0.1, lexicon="l.tsv")
    with pytest.raises(UsageError, match="names one twice"):
        chosen("zh", combos=("l-l", "l-l"))
    with pytest.raises(UsageError, match="nothing to learn"):
        chosen("zh", combos=("l-l",), translator="none", n_parallel=0)
    with pytest.raises(UsageError, match=r"n_parallel=1 is less than one item for each of 2"):
        chosen("zh", "sw", n_parallel=1)
    with pytest.raises(UsageError, match="nothing would be trained"):
        chosen("zh", n=1, n_parallel=0, combos=("en-en",))
    config = SdrrlConfig()
    assert (config.n, config.parallel_items, config.combos, config.max_new_tokens) == (800, 800, ALL_COMBOS, 512)
    assert (config.learning_rate, config.epochs, config.batch_size, config.code_switch) == (1e-5, 1, 8, 0)
    assert (config.translator, config.label, config.answer_language_hint, config.n_scope) == ("nllb", "sdrrl", False, "total")


@pytest.mark.parametrize("family", list(SPECIALS))
def test_loss_is_on_the_answer_and_its_end_only(tiny_model_dir: Path, family: str) -> None:
    tokenizer = tokenizer_of(tiny_model_dir, family)
    corpora, config = chosen("zh", answer_language_hint=True)
    answers, translations = made_up(corpora, drop=100)
    examples: list[Example] = [*combined(corpora, config, answers, translations).examples, *parallel_part(corpora).examples]
    rows = encode_all(tokenizer, examples, chat_layout(tokenizer, ""), 1024).rows
    assert len({e.pool for e in examples}) == 7 and len(rows) == len(examples)
    for example, row in zip(examples, rows, strict=True):
        assert learned(tokenizer, row) == example.answer + ENDS[family]
        first = next(index for index, label in enumerate(row.labels) if label != IGNORED)
        asked = render_chat(tokenizer, [{"role": "user", "content": example.question}], "")
        assert row.ids[:first] == encode_prompt(tokenizer, asked) and row.labels[first:] == row.ids[first:]
