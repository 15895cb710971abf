"""A tiny model that has learned to answer: what it says depends on how a question ends, so that answers of every kind occur."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from conftest import save_tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from lensbench.datasets.rows import RowsSpec, load_rows_spec
from lensbench.datasets.sources import EMBEDDED, Origin, Rows, open_data
from lensbench.errors import UnavailableError
from lensbench.languages import Language, get_language
from lensbench.methods.sdrrl.prompts import self_translation_request
from lensbench.methods.sft.batches import collator
from lensbench.methods.sft.encode import Example, chat_layout, encode_all

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'][0] }}>{{ m['content'] | trim }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<a>{% endif %}"
)
TRANSLATION = "这是一个很好的问题。"
GERMAN = "Das ist eine sehr gute Frage, vielen Dank."


def answer_to(question: str) -> str:
    """What the model was taught: an English answer, a translation, German, nothing, or something without an end."""
    last, digit = question[-1], next((sign for sign in reversed(question) if sign.isdigit()), "0")
    if last == "?":
        return f"Number {digit} is a good answer for all of you."
    return {".": TRANSLATION, "!": GERMAN, ";": "", ":": "la " * 20}[last]


def save_talker(folder: Path) -> Path:
    """Train a tiny model to say `answer_to(question)`; some seconds."""
    save_tiny_model(folder, layers=3, hidden=64)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(0.25)
    draw = random.Random(0)
    layout = chat_layout(tokenizer, None)
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    collate = collator(2)
    steps = 170
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    embedded = [
        row["instruction"] for row in open_data(EMBEDDED).load(load_rows_spec("bactrian_x"), get_language("en"), "train").rows
    ]
    for _ in range(steps):
        # What a run asks; without it, an answer to a question of another form would be left to chance.
        examples = [Example(draw.choice(embedded), "Number 1 is a good answer for all of you.", "p")]
        for ending in "???..!:":
            digit = draw.randrange(10)
            question = f"{'Write' if draw.random() < 0.5 else 'Question'} {digit}{ending}"
            if ending == "." and draw.random() < 0.7:
                question = self_translation_request(f"Number {digit} is a good answer for all of you.", "en", "zh")
            examples.append(Example(question, answer_to(question), "p"))
        rows = encode_all(tokenizer, examples, layout, 400).rows
        inputs = [{"input_ids": row.ids, "labels": row.labels} for row in rows]
        # An empty answer is learned by hand: the end of the turn alone, which the encoder leaves out.
        prompt = tokenizer.encode(layout.prompt(f"Write {draw.randrange(10)};"), add_special_tokens=False)
        inputs.append({"input_ids": [*prompt, 1], "labels": [*[-100] * len(prompt), 1]})
        batch = collate(inputs)
        optimiser.zero_grad()
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.save_pretrained(folder)
    return folder


class Made:
    """Bactrian-X rows given by language: id -> prompt."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]]) -> None:
        self.tables = tables

    def describe(self) -> str:
        return "made rows"

    def has(self, spec: RowsSpec, language: Language, split: str) -> bool:
        return language.code in self.tables

    def load(self, spec: RowsSpec, language: Language, split: str, revision: str | None = None) -> Rows:
        if language.code not in self.tables:
            raise UnavailableError(f"made rows have no {spec.rows} rows in {language.name}")
        rows: list[dict[str, Any]] = [
            {"id": i, "instruction": text, "input": "", "output": ""} for i, text in self.tables[language.code].items()
        ]
        return Rows(rows, Origin("local", "made", None, "0", len(rows), None))


def questions(codes: Sequence[str], n: int, endings: str = "?") -> Made:
    """Questions that end in turn with the given signs, and the same in other languages."""
    words = {"en": "Question", "zh": "问题很长所以可以分开", "sw": "Swali hili ni refu", "ja": "質問はとても長いです"}
    return Made({c: {f"id-{i}": f"{words[c]} {i}{endings[i % len(endings)]}" for i in range(n)} for c in codes})
