"""From a task in one language and its rows to an lm-eval task object, and to items ready to be asked."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lensbench.data.rows import row_hash
from lensbench.data.sources import Rows
from lensbench.errors import DataError, UsageError
from lensbench.tasks.resolve import TaskInLanguage
from lensbench.tasks.schema import Sample

__all__ = ["Item", "build_items", "build_task", "choose_docs"]

RenderChat = Callable[..., str]
"""Messages (and `add_generation_prompt`) to prompt text, as lm-eval calls it."""

_FEWSHOT_SEED = 1234
"""lm-eval's own default."""

_EXAMPLES = "examples"
"""Split of the few-shot examples where the task names none."""


@dataclass(frozen=True)
class Item:
    """One question as it is put to every variant."""

    id: str
    """Hash of task, protocol, row and rendered requests: equal ids are the same question in the same words."""
    task: str
    language: str
    profile: str
    doc_id: int
    """Index of the row in its split."""
    row: str
    doc: dict[str, Any]
    requests: tuple[tuple[str, str], ...]
    """(context, continuation) per choice, or the one of a task that scores its target; for open questions one (prompt, "")."""
    gold: str
    """The right choice as text, or an index where that is what the task gives; "" where there is none."""
    turns: tuple[str, ...] = ()
    """What the user says, turn by turn, before the chat template; empty for multiple choice."""
    source: str | None = None
    """The item of the original data set that the row is a version of, the same in all languages; None where it names none."""

    def as_record(self) -> dict[str, Any]:
        return {
            "key": self.id, "task": self.task, "language": self.language, "profile": self.profile,
            "doc_id": self.doc_id, "row": self.row, "doc": self.doc, "requests": self.requests, "gold": self.gold,
            **({"turns": self.turns} if self.turns else {}), **({"source": self.source} if self.source is not None else {}),
        }  # fmt: skip


def build_task(task: TaskInLanguage, rows: Rows | None, fewshot: Rows | None = None) -> Any:
    """The lm-eval task object over given rows.

    Args:
        rows: The rows of the scored split; None lets lm-eval load the task's own `dataset_path`.
        fewshot: The rows examples are taken from, when the task has any.

    Raises:
        UsageError: lm-eval refuses the definition; its reason is given.
    """
    import datasets
    from lm_eval.api.task import ConfigurableTask

    # lm-eval warns about every default it fills in; the definition is linted by `lensbench tasks validate` instead.
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    config = dict(task.config)
    if rows is not None:
        splits = {task.split: datasets.Dataset.from_list(rows.rows)}
        if fewshot is not None:
            config["fewshot_split"] = config.get("fewshot_split") or _EXAMPLES
            splits[str(config["fewshot_split"])] = datasets.Dataset.from_list(fewshot.rows)
        table = datasets.DatasetDict(splits)
        for key in ("training_split", "validation_split", "test_split", "fewshot_split"):
            if config.get(key) not in splits:
                config.pop(key, None)
        config["custom_dataset"] = lambda **_: table
    try:
        built = ConfigurableTask(config=config)
    except Exception as error:
        raise UsageError(
            f"{task.entry.path}: lm-eval cannot build '{task.name}' in '{task.language.code}': {type(error).__name__}: {error}"
        ) from error
    built.set_fewshot_seed(_FEWSHOT_SEED)
    return built


def choose_docs(total: int, sample: Sample | None, limit: int | None) -> list[int]:
    """Indices of the rows that are asked, in order.

    The profile's sample is drawn as the authors' script draws it (`random.seed(seed)`, `random.sample`), the whole set when it is
    smaller; `limit` then keeps the first ones.
    """
    indices = list(range(total))
    if sample is not None and total > sample.n:
        indices = random.Random(sample.seed).sample(indices, sample.n)
    return indices[:limit]


def build_items(
    task: TaskInLanguage, built: Any, render_chat: RenderChat, limit: int | None, source: tuple[str, str] | None = None
) -> list[Item]:
    """Every item of a task in one language, rendered.

    Args:
        built: The lm-eval task object.
        render_chat: Used when the profile asks through the chat template.
        source: Column that names the source item, and what to put before its values; no part of an item's id, since it does not
            change what is asked.

    Raises:
        DataError: a template fails on a row; names the row.
    """
    docs = built.eval_docs
    protocol = task.protocol_hash()
    items = []
    for doc_id in choose_docs(len(docs), task.profile.sample, limit):
        doc = docs[doc_id]
        try:
            requests = _requests(task, built, doc, render_chat)
            gold = _gold(built, doc)
            turns = _turns(task, built, doc)
        except Exception as error:
            raise DataError(
                f"'{task.name}' in '{task.language.code}': row {doc_id + 1} cannot be rendered: {type(error).__name__}: {error}"
            ) from error
        row = row_hash(doc)
        identity = row_hash([task.name, task.language.code, protocol, doc_id, row, requests, *turns[1:]])
        items.append(
            Item(
                identity, task.name, task.language.code, task.profile.profile, doc_id, row, dict(doc), requests, gold, turns,
                _source(doc, source),
            )
        )  # fmt: skip
    return items


def _source(doc: dict[str, Any], source: tuple[str, str] | None) -> str | None:
    if source is None or doc.get(source[0]) is None:
        return None
    return f"{source[1]}/{doc[source[0]]}"


def _requests(task: TaskInLanguage, built: Any, doc: dict[str, Any], render_chat: RenderChat) -> tuple[tuple[str, str], ...]:
    chat = task.profile.chat
    context = built.fewshot_context(
        doc,
        num_fewshot=built.config.num_fewshot or 0,
        apply_chat_template=chat,
        chat_template=render_chat if chat else None,
        gen_prefix=built.doc_to_prefix(doc),
    )
    instances = built.construct_requests(
        doc=doc, ctx=context, metadata=(task.name, 0, 1), apply_chat_template=chat, chat_template=render_chat if chat else None
    )
    if not isinstance(instances, list):
        return ((instances.args[0], instances.args[1] if instances.request_type == "loglikelihood" else ""),)
    return tuple((i.args[0], i.args[1]) for i in instances)


def _turns(task: TaskInLanguage, built: Any, doc: dict[str, Any]) -> tuple[str, ...]:
    if not task.profile.generates:
        return ()
    column = task.entry.file.turns
    return tuple(doc[column]) if column else (str(built.doc_to_text(doc)),)


def _gold(built: Any, doc: dict[str, Any]) -> str:
    target = built.doc_to_text(doc) if built.multiple_input else built.doc_to_target(doc)
    choices: Sequence[str] = built.doc_to_choice(doc) if built.config.doc_to_choice is not None else ()
    if isinstance(target, int) and 0 <= target < len(choices):
        return str(choices[target])
    return str(target)
