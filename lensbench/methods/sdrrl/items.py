"""From questions, answers and translations to examples: the combinations of languages, and the parallel part."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lensbench.languages import Language, get_language
from lensbench.methods.qalign.corpora import shares
from lensbench.methods.sdrrl.config import SdrrlConfig
from lensbench.methods.sdrrl.corpora import SdrrlCorpora
from lensbench.methods.sdrrl.lexicon import code_switch
from lensbench.methods.sdrrl.prompts import completion_request, translation_request, with_language_hint
from lensbench.methods.sft.encode import Example

__all__ = ["Items", "combined", "cut_in_two", "parallel_part"]


@dataclass
class Items:
    """Examples, and what became of each pool's possible ones."""

    examples: list[Example] = field(default_factory=list)
    pools: dict[str, Counter[str]] = field(default_factory=dict)
    """`<question>-<answer>`, `translate/<from>-<to>` or `complete/<code>` -> "possible", "made" and why others were not."""
    switched: Counter[str] = field(default_factory=Counter)
    """Of code-switching: questions, those in a language without word spacing (left alone), words in the lexicon, replaced."""

    def add(self, pool: str, question: str, answer: str) -> None:
        self.count(pool, "made")
        self.examples.append(Example(question, answer, pool))

    def count(self, pool: str, state: str) -> None:
        counts = self.pools.setdefault(pool, Counter(possible=0, made=0))
        counts["possible"] += 1
        counts[state] += 1


def combined(
    corpora: SdrrlCorpora, config: SdrrlConfig, answers: Mapping[str, str], translations: Mapping[str, Mapping[str, str]]
) -> Items:
    """The four combinations of a question's and an answer's language.

    The pair in the central language is made once for each question, however many target languages learn it.

    Args:
        answers: Question in the central language -> the backbone's own answer.
        translations: Target language -> answer -> its translation.
    """
    central = corpora.languages[0]
    items = Items()
    asker = _Asker(corpora, config, items)
    if "en-en" in config.active_combos:
        for i, code in _once(corpora.own):
            question = corpora.questions[central][i]
            _learn(items, f"{central}-{central}", asker.ask(i, central, code, central), answers.get(question), "without_answer")
    for code, ids in corpora.own.items():
        for combo in config.active_combos:
            asked, _, answered = combo.partition("-")
            if combo == "en-en":
                continue
            asked, answered = (central if side == "en" else code for side in (asked, answered))
            for i in ids:
                answer = answers.get(corpora.questions[central][i])
                why = "without_answer" if answer is None else "without_translation"
                if answer is not None and answered != central:
                    answer = translations.get(code, {}).get(answer)
                _learn(items, f"{asked}-{answered}", asker.ask(i, asked, code, answered), answer, why)
    return items


def parallel_part(corpora: SdrrlCorpora) -> Items:
    """Translation requests, to and from the target in turn, for the first half; the other half completes texts in the target."""
    central = corpora.languages[0]
    items = Items()
    for code, ids in corpora.parallel.items():
        half = shares(len(ids), 2)[0]
        for number, i in enumerate(ids[:half]):
            source, target = (code, central) if number % 2 else (central, code)
            request = translation_request(corpora.questions[source][i], source, target)
            items.add(f"translate/{source}-{target}", request, corpora.questions[target][i])
        for i in ids[half:]:
            parts = cut_in_two(corpora.questions[code][i], get_language(code))
            if parts is None:
                items.count(f"complete/{code}", "too_short")
            else:
                items.add(f"complete/{code}", completion_request(parts[0], code), parts[1])
    return items


def cut_in_two(text: str, language: Language) -> tuple[str, str] | None:
    """A text cut as near to its middle as can be: in front of a word where words are set apart, else between two signs.

    Returns:
        Both parts without white space at the cut, or None for a text that is one word, or one sign.
    """
    places = [
        place
        for place in range(1, len(text))
        if not text[place].isspace() and (text[place - 1].isspace() or (not language.spaced and not _sticks(text, place)))
    ]
    if not places:
        return None
    place = min(places, key=lambda p: (abs(2 * p - len(text)), p))
    beginning, rest = text[:place].rstrip(), text[place:].rstrip()
    return (beginning, rest) if beginning and rest else None


def _sticks(text: str, place: int) -> bool:
    """Whether a cut would part a word in Latin letters, a number, or a sign from the mark on it."""
    before, after = text[place - 1], text[place]
    latin = (before.isascii() and before.isalnum()) and (after.isascii() and after.isalnum())
    return latin or not (after.isalnum() or after.isascii())


def _learn(items: Items, pool: str, question: str, answer: str | None, why: str) -> None:
    if answer is None:
        items.count(pool, why)
    else:
        items.add(pool, question, answer)


def _once(own: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    """Each id with a target language of its own, in turn where several share it."""
    takers: dict[str, list[str]] = {}
    for code, ids in own.items():
        for i in ids:
            takers.setdefault(i, []).append(code)
    return [(i, codes[number % len(codes)]) for number, (i, codes) in enumerate(takers.items())]


class _Asker:
    """Questions as they are learned: code-switched, and with the answer's language where that is wanted."""

    def __init__(self, corpora: SdrrlCorpora, config: SdrrlConfig, items: Items) -> None:
        self._corpora, self._config, self._items = corpora, config, items

    def ask(self, i: str, asked: str, target: str, answered: str) -> str:
        question = self._switched(i, asked, target)
        hint = self._config.answer_language_hint and asked != answered
        return with_language_hint(question, answered) if hint else question

    def _switched(self, i: str, asked: str, target: str) -> str:
        question = self._corpora.questions[asked][i]
        probability = self._config.code_switch
        if probability == 0:
            return question
        counts = self._items.switched
        counts["questions"] += 1
        if not get_language(asked).spaced:
            counts["without_word_spacing"] += 1
            return question
        lexicon = self._corpora.lexicons[target]
        table = lexicon.to_target if asked == self._corpora.languages[0] else lexicon.to_central
        # A question is mixed in the same way wherever it is asked.
        draw = random.Random(f"{self._config.seed}|{i}|{asked}|{target}")
        text, covered, replaced = code_switch(question, table, probability, draw)
        counts["words_in_lexicon"] += covered
        counts["words_replaced"] += replaced
        return text
