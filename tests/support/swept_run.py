"""A run of a sweep with known truth, without a model: right or wrong drawn item by item for every setting and seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lensbench.records import ItemRecord, RunFolder
from lensbench.records.provenance import gather_provenance
from lensbench.spec import RunSpec, TaskChoice, VariantChoice

TASKS = ("xcopa", "m_mmlu")
LANGUAGES = ("en", "zh", "sw")


def swept_run(
    path: Path,
    gains: Mapping[float, tuple[float, float]],
    *,
    seed: int = 1,
    items: int = 200,
    seeds: Sequence[int] = (42,),
    spread: float = 0.0,
    languages: Sequence[str] = LANGUAGES,
    tasks: Sequence[str] = TASKS,
    named: Sequence[str] = TASKS,
    base: float = 0.5,
    redone: float = 0.2,
    others: Sequence[str] = (),
    validation: int = 0,
) -> RunFolder:
    """Write a finished run of `lens[start_layer=VALUE]`, all but `results.json` and what is made from it.

    Args:
        gains: Start layer -> true difference to base over the targets and in English.
        items: Source items of each task; each stands in every language.
        seeds: Seeds of every setting.
        spread: Standard deviation of a seed's own difference.
        named: Tasks whose rows name source items.
        redone: Share of the items that a variant answers anew; on the rest it agrees with base.
        others: Further methods, each with one setting and no gain.
        validation: Items of a validation split of each task.
    """
    rng = np.random.default_rng(seed)
    folder = RunFolder(path)
    fits = {}
    for layer in gains:
        for one in seeds:
            name = f"lens[start_layer={layer}]" if len(seeds) == 1 else f"lens[start_layer={layer},seed={one}]"
            fits[name] = (layer, one)
    choices = [
        VariantChoice(name=name, method="lens", config={"start_layer": layer, "rank": 1, "seed": one})
        for name, (layer, one) in fits.items()
    ]
    choices += [VariantChoice(method=name, config={"seed": 42}) for name in others]
    path.mkdir(parents=True, exist_ok=True)
    cells = [(task, code) for task in tasks for code in languages]
    split = {"development": "validation"} if validation else {}
    folder.begin(
        RunSpec(
            lensbench="0",
            variants=tuple(choices),
            backbone="b",
            languages=tuple(code for code in languages if code != "en"),
            english="en" in languages,
            profile="p",
            data="embedded",
            tasks=tuple(TaskChoice(task=t, language=c, profile="p", protocol=f"h{t}{c}", rows=t, **split) for t, c in cells),
        )
    )
    described = {"base": {"digest": "base"}, **{c.name: {"digest": c.name, "method": c.method, "seed": c.seed} for c in choices}}
    origin = {"kind": "local", "name": "made", "rows": items, "expected_rows": None, "revision": None, "digest": "0" * 64}
    folder.write_json(
        "variants.json",
        {
            "lensbench": "0",
            "backbone": "b",
            "backbone_origin": {"kind": "local", "name": "b", "digest": "w" * 64},
            "backbone_digest": "w" * 64,
            "dtype": "float32",
            "device": "cpu",
            "tokenizer_digest": "t",
            "variants": described,
            "tasks": {
                f"{task}/{code}": {
                    "title": task,
                    "version": "1",
                    "profile": "p",
                    "protocol": f"h{task}{code}",
                    "rows": f"local:{task}:1",
                    "substitute": None,
                    "origin": {**origin, "stand_in": None, "warning": None},
                    "items": items + validation,
                    "generates": False,
                    "judged": False,
                }
                for task, code in cells
            },
            "gaps": [],
        },
    )
    folder.write_json("provenance.json", {"starts": [{**gather_provenance(), "device": "cpu", "dtype": "float32"}]})
    for name, (layer, one) in fits.items():
        home = folder.enhancement(name)
        home.mkdir(parents=True)
        card = {
            "config": {"start_layer": layer, "rank": 1, "seed": one},
            "cost": {"wall_seconds": 60.0},
            "first_changed_layer": int(layer) - 1,
        }
        (home / "card.json").write_text(json.dumps(card), encoding="utf-8")
    own = {name: spread * rng.standard_normal() for name in fits}
    total = items + validation
    with folder.log("items") as asked, folder.log("score") as log:
        for task in tasks:
            hard = rng.random(total)
            for code in languages:
                kind = {"task": task, "language": code, "profile": "p"}
                records = [_item(kind, number, items, task in named) for number in range(total)]
                asked.append(records)
                untouched = 0.5 * hard + 0.5 * rng.random(total) < _threshold(base)
                log.append(_scores(kind, records, "base", untouched))
                for name in [*fits, *others]:
                    layer, _ = fits.get(name, (None, None))
                    gain = 0.0 if layer is None else gains[layer][1 if code == "en" else 0] + own[name]
                    anew = rng.random(total) < redone
                    right = np.where(anew, rng.random(total) < base + gain / redone, untouched)
                    log.append(_scores(kind, records, name, right))
    return folder


def _threshold(base: float) -> float:
    """Below which the mean of two uniform numbers lies with this probability."""
    return float(np.sqrt(base / 2)) if base <= 0.5 else float(1 - np.sqrt((1 - base) / 2))


def _item(kind: dict[str, str], number: int, items: int, named: bool) -> ItemRecord:
    split = None if number < items else "validation"
    row = number if split is None else number - items
    where = split or "test"
    return ItemRecord(
        **kind,
        key=f"{kind['task']}/{kind['language']}/{where}/{row}",
        doc_id=row,
        row=f"{where}{row}",
        doc={"question": f"{where} {row}", "choices": ["a", "b"], "label": 0},
        requests=[(f"{kind['language']} {where} {row}", "a"), (f"{kind['language']} {where} {row}", "b")],
        gold="a",
        source=f"{kind['task']}/{where}/{row}" if named else None,
        split=split,
    )


def _scores(kind: dict[str, str], items: Sequence[ItemRecord], variant: str, right: np.ndarray) -> list[dict]:
    return [
        {
            **kind,
            "key": f"{variant}:{item.key}",
            "item": item.key,
            "variant": variant,
            "state": "ok",
            "metrics": {"acc": float(good)},
            "loglikelihoods": [-1.0, -2.0] if good else [-2.0, -1.0],
            "greedy": [bool(good), False],
            "tokens": [1, 1],
        }
        for item, good in zip(items, right, strict=True)
    ]
