"""A whole run folder without a model: real sentences in seven scripts, mixed anew, and scores drawn from known accuracies.

It goes through the store, so what reads runs cannot tell the difference. `bench/report.py` writes it in full size.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lensbench.datasets.rows import row_hash
from lensbench.languages import get_language
from lensbench.records import RunFolder
from lensbench.records.provenance import gather_provenance
from lensbench.spec import RunSpec, TaskChoice, VariantChoice

MINI = Path(__file__).parents[2] / "lensbench" / "datasets" / "mini"
LANGUAGES = ("en", "zh", "ja", "ko", "ar", "bn", "sw")
VARIANTS = ("base", "lens", "xsft", "xsft-full", "qalign", "incline")
CLOSED = {
    "xcopa": ("XCOPA", 2, 2),
    "xwinograd": ("XWinograd", 2, 2),
    "xstory_cloze": ("XStoryCloze", 2, 5),
    "m_mmlu": ("M-MMLU", 4, 3),
}
"""Task -> title, options, sentences in a question."""
TITLES = {"open_questions": "Open questions", "mt_bench": "MT-Bench", **{name: title for name, (title, _, _) in CLOSED.items()}}
IDENTIFIER, JUDGE = "lid176:8f3472cf@0.2", "strict:m:8644bce2"
RIGHT = {"base": 0.55, "lens": 0.60, "xsft": 0.57, "xsft-full": 0.52, "qalign": 0.56, "incline": 0.55}
ON_TARGET = {"base": 0.7, "lens": 0.97, "xsft": 0.95, "xsft-full": 0.96, "qalign": 0.8, "incline": 0.75}
HEAD = "<|im_start|>system\nYou are a helpful AI assistant.<|im_end|>\n<|im_start|>user\n"
TAIL = "\nChoose one option and do not explain your choice.\nAnswer: <|im_end|>\n<|im_start|>assistant\n"


@dataclass(frozen=True)
class Truth:
    """What the scores of a simulated run are drawn from.

    Attributes:
        right: Share of right answers by variant and language.
        on_target: Share of answers in the asked language, likewise.
        fits: Variant -> method and configuration of its fit, the seed included; others are methods of their own name.
        failed: Variant that could not be fitted -> why. It must be in `fits` and not among the variants.
    """

    right: Callable[[str, str], float] = lambda variant, code: RIGHT.get(variant, 0.5)
    on_target: Callable[[str, str], float] = lambda variant, code: ON_TARGET.get(variant, 0.8)
    fits: Mapping[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


class Author:
    """Writes texts of a language: sentences of the embedded set with a part of their words exchanged."""

    def __init__(self, code: str, draw: random.Random) -> None:
        self._draw, self._spaced = draw, get_language(code).spaced
        texts = [
            t for path in sorted(MINI.glob(f"*/{code}/*.jsonl")) for line in path.open(encoding="utf-8") for t in _strings(line)
        ]
        sentences = {s for text in texts for s in re.split(r"(?<=[.!?؟।。！？])\s*", text) if len(s) > 8}
        self._sentences = [self._words(s) for s in sorted(sentences)]
        self._all = [word for sentence in self._sentences for word in sentence]

    def _words(self, sentence: str) -> list[str]:
        return sentence.split() if self._spaced else re.findall(r"\w{1,2}|\W", sentence)

    def text(self, sentences: int) -> str:
        drawn = []
        for _ in range(sentences):
            words = self._draw.choice(self._sentences)
            drawn.append(
                (" " if self._spaced else "").join(
                    word if self._draw.random() < 0.65 else self._draw.choice(self._all) for word in words
                )
            )
        return (" " if self._spaced else "").join(drawn)


def _strings(line: str) -> Iterator[str]:
    for value in json.loads(line).values():
        yield from (
            [value] if isinstance(value, str) else [v for v in value if isinstance(v, str)] if isinstance(value, list) else []
        )


def simulate(
    path: Path,
    *,
    items: int = 1000,
    variants: Sequence[str] = VARIANTS,
    languages: Sequence[str] = LANGUAGES,
    tasks: Sequence[str] = (*CLOSED, "open_questions"),
    seed: int = 7,
    protocol: str = "simulated",
    truth: Truth = Truth(),
) -> RunFolder:
    """Write a finished run, all but `results.json` and what is made from it."""
    path.mkdir(parents=True)
    folder = RunFolder(path)
    profiles = {t: "lens-paper" if t in CLOSED else "mt-bench" if t == "mt_bench" else "open" for t in tasks}
    folder.begin(
        RunSpec(
            lensbench="0",
            variants=tuple(_choice(v, truth) for v in (*variants, *truth.failed) if v != "base"),
            backbone="simulated",
            languages=tuple(c for c in languages if c != "en"),
            profile="lens-paper",
            data="embedded",
            tasks=tuple(
                TaskChoice(task=t, language=c, profile=profiles[t], protocol=protocol, rows=t) for t in tasks for c in languages
            ),
        )
    )
    _describe(folder, variants, languages, tasks, profiles, items, protocol, truth)
    draw = random.Random(seed)
    authors = {code: Author(code, draw) for code in dict.fromkeys(("en", *languages))}
    logs = {stage: folder.log(stage) for stage in ("items", "score", "answers", "identified", "verdicts")}
    for task in tasks:
        for code in languages:
            write = _closed if task in CLOSED else _open
            batch = write(task, code, profiles[task], items, variants, authors, draw, protocol, truth)
            for stage, records in batch.items():
                logs[stage].append(records)
    for log in logs.values():
        log.close()
    return folder


def _choice(variant: str, truth: Truth) -> VariantChoice:
    method, config = truth.fits.get(variant, (variant, {}))
    return VariantChoice(name=variant, method=method, config=config)


def _closed(
    task: str,
    code: str,
    profile: str,
    items: int,
    variants: Sequence[str],
    authors: dict[str, Author],
    draw: random.Random,
    protocol: str,
    truth: Truth,
) -> dict[str, list[dict[str, Any]]]:
    _, options, sentences = CLOSED[task]
    asked, scored = [], []
    for number in range(items):
        choices = [authors[code].text(1) for _ in range(options)]
        question = authors[code].text(sentences)
        gold = draw.randrange(options)
        listed = "\n".join(f"{'ABCD'[i]}. {choice}" for i, choice in enumerate(choices))
        prompt = f"{HEAD}You are a helpful assistant. Decide which option is right.\n{question}\n{listed}{TAIL}"
        key = row_hash([task, code, protocol, number, prompt])
        asked.append(
            {
                "key": key,
                "task": task,
                "language": code,
                "profile": profile,
                "doc_id": number,
                "row": row_hash(question),
                "doc": {"question": question, "choices": choices, "label": gold, "idx": number},
                "requests": [[prompt, letter] for letter in "ABCD"],
                "gold": "ABCD"[gold],
            }
        )
        hard = draw.random()
        for variant in variants:
            right = (0.7 * hard + 0.3 * draw.random()) < 0.3 + 0.75 * (truth.right(variant, code) - 0.25)
            pick = gold if right else draw.choice([i for i in range(4) if i != gold])
            lls = [draw.gauss(-6, 1.5) for _ in range(4)]
            lls[pick] = max(lls) + draw.random()
            failed = draw.random() < 0.002
            scored.append(
                {
                    "key": row_hash([key, variant]),
                    "item": key,
                    "variant": variant,
                    "task": task,
                    "language": code,
                    "profile": profile,
                    "state": "not_finite" if failed else "ok",
                    "metrics": {} if failed else {"acc": float(right)},
                    "loglikelihoods": [None, *lls[1:]] if failed else lls,
                    "greedy": [i == pick for i in range(4)],
                    "tokens": [1] * 4,
                }
            )
    return {"items": asked, "score": scored}


def _open(
    task: str,
    code: str,
    profile: str,
    items: int,
    variants: Sequence[str],
    authors: dict[str, Author],
    draw: random.Random,
    protocol: str,
    truth: Truth,
) -> dict[str, list[dict[str, Any]]]:
    turns = 2 if task == "mt_bench" else 1
    found: dict[str, list[dict[str, Any]]] = {"items": [], "answers": [], "identified": [], "verdicts": []}
    for number in range(items):
        said = [authors[code].text(2) for _ in range(turns)]
        key = row_hash([task, code, protocol, number, said])
        category = ("writing", "reasoning", "humanities", "stem")[number % 4]
        common = {"item": key, "task": task, "language": code, "profile": profile}
        found["items"].append(
            {
                "key": key,
                "task": task,
                "language": code,
                "profile": profile,
                "doc_id": number,
                "row": row_hash(said),
                "doc": {"question_id": number, "category": category, "turns": said},
                "requests": [[f"{HEAD}{said[0]}{TAIL}", ""]],
                "gold": "",
                "turns": said,
            }
        )
        for variant in variants:
            labels = []
            for turn in range(1, turns + 1):
                spoken = code if draw.random() < truth.on_target(variant, code) else "en"
                empty = draw.random() < 0.004
                text = "" if empty else authors[spoken].text(draw.randint(2, 7))
                answer = row_hash([key, variant, turn])
                found["answers"].append(
                    {
                        "key": answer,
                        **common,
                        "variant": variant,
                        "turn": turn,
                        "state": "empty" if empty else "ok",
                        "text": text,
                        "tokens": len(text) // 4,
                        "prompt_tokens": 60,
                        "temperature": 0.0,
                        "finish": draw.choice(["stop", "length"]),
                        "seconds": 0.5,
                    }
                )
                labels.append((answer, turn, None if empty else spoken))
                if task == "mt_bench":
                    found["verdicts"].append(_verdict(answer, common, variant, category, turn, authors["en"], draw))
            on = all(spoken == code for _, _, spoken in labels)
            found["identified"].append(
                {
                    "key": f"{row_hash([key, variant, 'l'])}:{IDENTIFIER}",
                    **common,
                    "variant": variant,
                    "state": "ok" if all(s for *_, s in labels) else "empty",
                    "identifier": IDENTIFIER,
                    "metrics": {f"lf_turn{t}": float(s == code) for _, t, s in labels}
                    | ({"lf_response": float(on)} if turns > 1 else {}),
                    "turns": [
                        {
                            "answer": a,
                            "turn": t,
                            "label": s,
                            "probability": 0.9 if s else None,
                            "cell": s or "empty",
                            "lines": [s or "empty"],
                        }
                        for a, t, s in labels
                    ],
                }
            )
    return found


def _verdict(
    answer: str, common: dict[str, Any], variant: str, category: str, turn: int, author: Author, draw: random.Random
) -> dict[str, Any]:
    rating = min(10, max(1, round(draw.gauss(6, 2))))
    read = draw.random() > 0.01
    text = f"{author.text(3)} Rating: " + (f"[[{rating}]]" if read else "very good")
    return {
        "key": f"{answer}:{JUDGE}:0",
        "answer": answer,
        **common,
        "variant": variant,
        "category": category,
        "turn": turn,
        "repeat": 0,
        "judge": JUDGE,
        "request": row_hash(text),
        "attempt": 0,
        "state": "ok" if read else "unparsable",
        "rating": float(rating) if read else None,
        "from_cache": False,
        "reply": {"text": text, "refusal": None, "finish": "stop", "model": "m"},
    }


def _describe(
    folder: RunFolder,
    variants: Sequence[str],
    languages: Sequence[str],
    tasks: Sequence[str],
    profiles: dict[str, str],
    items: int,
    protocol: str,
    truth: Truth,
) -> None:
    origin = {
        "kind": "embedded",
        "name": "simulated",
        "revision": None,
        "digest": "0" * 64,
        "rows": items,
        "expected_rows": None,
        "stand_in": None,
        "warning": "drawn at random; no model was asked",
    }
    about = {
        "lensbench": "0",
        "backbone": "simulated",
        "backbone_origin": {"kind": "local", "name": "simulated"},
        "backbone_digest": "w" * 64,
        "dtype": "float32",
        "device": "cpu",
        "tokenizer_digest": "t",
        "variants": {
            v: {
                "digest": "base" if v == "base" else row_hash(v),
                "method": None if v == "base" else truth.fits.get(v, (v, {}))[0],
            }
            | ({"seed": truth.fits[v][1].get("seed")} if v in truth.fits else {})
            for v in variants
        },
        "tasks": {
            f"{t}/{c}": {
                "title": TITLES[t],
                "version": "1.0",
                "profile": profiles[t],
                "protocol": f"{protocol}-{t}-{c}",
                "rows": f"embedded:{t}:0",
                "substitute": None,
                "origin": origin,
                "items": items,
                "max_new_tokens": None,
                "judged": t == "mt_bench",
            }
            for t in tasks
            for c in languages
        },
        "failed": dict(truth.failed),
        "gaps": ["xcopa in ja: the data set has no Japanese"],
    }
    folder.write_json("variants.json", about)
    folder.write_json("provenance.json", {"starts": [{**gather_provenance(), "device": "cpu", "dtype": "float32"}]})
    for number, variant in enumerate(v for v in variants if v != "base"):
        home = folder.enhancement(variant)
        home.mkdir(parents=True)
        cost = {
            "wall_seconds": 100.0 + 40 * number,
            "trainable_share": 0.1,
            "training_items": 800,
            "training_tokens": 120_000,
            "steps": 100,
            "peak_bytes": 3 * 2**30,
            "floor_bytes": 2 * 2**30,
        }
        config = truth.fits[variant][1] if variant in truth.fits else None
        fitted = {} if config is None else {"config": config, "first_changed_layer": config.get("start_layer", 1) - 1}
        (home / "card.json").write_text(json.dumps({"cost": cost, **fitted}), encoding="utf-8")
    folder.write_json(
        "overlap.json",
        [
            {
                "method": v,
                "task": t,
                "language": c,
                "items": items,
                "sharing": int(t == "open_questions" and c == "zh") * 3,
                "examples": [[0, "a shared beginning"]] if t == "open_questions" and c == "zh" else [],
            }
            for v in variants
            if v != "base"
            for t in tasks
            for c in languages
        ],
    )
