"""Conversion of a task in one language and its rows to an lm-eval task object and to items."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lensbench.datasets.rows import Row, row_hash
from lensbench.datasets.sources import Rows
from lensbench.errors import DataError, UnavailableError, UsageError, nearest
from lensbench.records import ItemRecord
from lensbench.tasks.checks import check_items, check_templates, flaw_of, undefined_name
from lensbench.tasks.code import check_registered
from lensbench.tasks.package_metrics import for_lm_eval
from lensbench.tasks.resolve import TaskInLanguage
from lensbench.tasks.schema import Sample
from lensbench.tasks.tables import table_of
from lensbench.tasks.templates import sandbox_lm_eval

__all__ = ["Item", "build_items", "build_task", "choose_docs"]

RenderChat = Callable[..., str]
"""Messages (and `add_generation_prompt`) to prompt text, as lm-eval calls it."""

_FEWSHOT_SEED = 1234
"""lm-eval's own default."""

_EXAMPLES = "examples"
"""Split of the few-shot examples where the task names none."""


@dataclass(frozen=True)
class Item:
    """One question, the same for every variant."""

    id: str
    """Hash of task, protocol, row and rendered requests: equal ids are the same question in the same words."""
    task: str
    language: str
    profile: str
    doc_id: int
    """Index of the row in its split."""
    row: str
    doc: Row
    requests: tuple[tuple[str, str], ...]
    """(context, continuation) per choice, or the one of a task that scores its target; for open questions one (prompt, "")."""
    gold: str
    """The right choice as text, or an index where that is what the task gives; "" where there is none."""
    turns: tuple[str, ...] = ()
    """What the user says, turn by turn, before the chat template; empty for multiple choice."""
    source: str | None = None
    """The item of the original data set that the row is a version of, the same in all languages; None where it names none."""
    flaw: str | None = None
    """Why it cannot be scored: a state of `lensbench.tasks.checks.FLAWS`; None where it can."""
    split: str | None = None
    """Split of the row, if the item only chooses a setting; None of the scored split."""

    def as_record(self) -> ItemRecord:
        return ItemRecord(
            key=self.id,
            task=self.task,
            language=self.language,
            profile=self.profile,
            doc_id=self.doc_id,
            row=self.row,
            doc=self.doc,
            requests=self.requests,
            gold=self.gold,
            turns=self.turns,
            source=self.source,
            flaw=self.flaw or None,
            split=self.split,
        )


def build_task(task: TaskInLanguage, rows: Rows | None, fewshot: Rows | None = None) -> Any:
    """The lm-eval task object over given rows.

    Args:
        rows: The rows of the scored split; None lets lm-eval load the task's own `dataset_path`.
        fewshot: The rows examples are taken from, when the task has any.

    Raises:
        UsageError: lm-eval refuses the definition; its reason is given.
    """
    try:
        import datasets
        from lm_eval.api.task import ConfigurableTask
    except ImportError as error:
        raise UnavailableError(f"the package '{error.name}' is missing", "pip install 'lensbench[engines]'") from None

    # lm-eval warns about every default it fills in; the definition is linted by `lensbench tasks validate` instead.
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    sandbox_lm_eval()
    config = dict(task.config)
    if task.metrics:
        config["metric_list"] = for_lm_eval(config["metric_list"], task.metrics)
    where = f"{task.entry.path}: '{task.name}' in '{task.language.code}'"
    if task.upstream is None:
        if not task.entry.trusted:
            check_registered(config, task.entry.path)
        columns = {name for row in rows.rows for name in row} if rows is not None else set()
        check_templates(task.templates, columns, task.words, where)
    if rows is not None:
        splits = {task.split: table_of(rows.rows, f"{where}, split {task.split}")}
        if fewshot is not None:
            config["fewshot_split"] = config.get("fewshot_split") or _EXAMPLES
            splits[str(config["fewshot_split"])] = table_of(fewshot.rows, f"{where}, examples")
        table = datasets.DatasetDict(splits)
        for key in ("training_split", "validation_split", "test_split", "fewshot_split"):
            if config.get(key) not in splits:
                config.pop(key, None)
        config["custom_dataset"] = lambda **_: table
    try:
        built = ConfigurableTask(config=config)
    except UsageError as error:
        # lm-eval renders the first row as it builds.
        unknown = _unknown_name(task, error, list(rows.rows[0]) if rows is not None and rows.rows else [], "")
        raise unknown or UsageError(f"{where}: {error.message}", error.hint) from None
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
    task: TaskInLanguage,
    built: Any,
    render_chat: RenderChat,
    limit: int | None,
    source: tuple[str, str] | None = None,
    *,
    split: str | None = None,
) -> list[Item]:
    """Every item of a task in one language, rendered.

    Args:
        built: The lm-eval task object.
        render_chat: Used when the profile asks through the chat template.
        source: Column that names the source item, and what to put before its values; no part of an item's id, since it does not
            change what is asked.
        split: That of the rows, if their items only choose a setting.

    Raises:
        DataError: a template fails on a row, a gold answer is none of the choices, different rows give one prompt, a choice is
            template text; names the row.
    """
    docs = built.eval_docs
    where = f"{task.entry.path}: '{task.name}' in '{task.language.code}'"
    protocol = task.protocol_hash()
    items: list[Item] = []
    wrong_gold: dict[int, str] = {}
    for doc_id in choose_docs(len(docs), task.profile.sample, limit):
        doc = docs[doc_id]
        try:
            requests = _requests(task, built, doc, render_chat)
            index, gold = _gold(built, doc)
            turns = _turns(task, built, doc)
        except DataError as error:
            wrong_gold[doc_id] = error.message
            continue
        except Exception as error:
            unknown = _unknown_name(task, error, list(doc), f", row {doc_id + 1}")
            if unknown is not None:
                raise unknown from error
            about = error.message if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
            raise DataError(f"{where}: row {doc_id + 1} cannot be rendered: {about}") from error
        several = len(requests) > 1
        flaw = flaw_of(requests, index if several and not built.multiple_input else None) if not task.profile.generates else None
        row = row_hash(doc)
        # The flaw is part of what an item is: an answer that an earlier version scored is not that of an item without one.
        # So is another split: a row may stand at the same place in both.
        further = [{"flaw": flaw}] if flaw else []
        further += [{"split": split}] if split else []
        identity = row_hash([task.name, task.language.code, protocol, doc_id, row, requests, *turns[1:], *further])
        items.append(
            Item(
                identity,
                task.name,
                task.language.code,
                task.profile.profile,
                doc_id,
                row,
                dict(doc),
                requests,
                gold,
                turns,
                _source(doc, source),
                flaw,
                split,
            )
        )
    _refuse_gold(wrong_gold, len(items) + len(wrong_gold), where)
    check_items(items, where, chat=task.profile.chat)
    return items


def _unknown_name(task: TaskInLanguage, error: Exception, columns: Sequence[str], row: str) -> DataError | None:
    """The error for a name in a template that is neither a column nor a word of the task; None for any other error."""
    found = undefined_name(task.templates, str(error)) if task.upstream is None else None
    if found is None:
        return None
    key, name = found
    own = getattr(task.entry.file.languages[task.language.code], key, None) is not None
    place = ("languages", task.language.code, key) if own else (key,)
    close = nearest(name, [*columns, "language", *task.words])
    guess = f"Did you mean '{close}'? " if close else ""
    return DataError(
        f"{task.entry.document.where(*place)}: {key}: '{name}' is neither a column of the rows nor one of `vars` ('{task.name}' "
        f"in '{task.language.code}'{row})",
        f"{guess}Columns: {', '.join(columns)}." if columns else guess or None,
    )


def _refuse_gold(wrong: dict[int, str], total: int, where: str) -> None:
    if wrong:
        first = next(iter(wrong))
        rows = ", ".join(str(doc_id + 1) for doc_id in list(wrong)[:5]) + (" ..." if len(wrong) > 5 else "")
        raise DataError(
            f"{where}: {len(wrong)} of {total} items have a gold answer that is none of the choices (rows {rows}; row "
            f"{first + 1}: {wrong[first]})",
            'doc_to_target gives the index of the right choice, from 0, or its text. Labels that begin at 1: "{{ label - 1 }}".',
        )


def _source(doc: Row, source: tuple[str, str] | None) -> str | None:
    if source is None or doc.get(source[0]) is None:
        return None
    return f"{source[1]}/{doc[source[0]]}"


def _requests(task: TaskInLanguage, built: Any, doc: Row, render_chat: RenderChat) -> tuple[tuple[str, str], ...]:
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


def _turns(task: TaskInLanguage, built: Any, doc: Row) -> tuple[str, ...]:
    if not task.profile.generates:
        return ()
    column = task.entry.file.turns
    return tuple(doc[column]) if column else (str(built.doc_to_text(doc)),)


def _gold(built: Any, doc: Row) -> tuple[int | None, str]:
    """The right choice as an index, where it is one, and as text.

    Raises:
        DataError: it is none of the choices. lm-eval counts such an item as wrong whatever the model answers.
    """
    target = built.doc_to_text(doc) if built.multiple_input else built.doc_to_target(doc)
    choices: Sequence[str] = built.doc_to_choice(doc) if built.config.doc_to_choice is not None else ()
    if target is None:
        raise DataError("it is null")
    if built.OUTPUT_TYPE != "multiple_choice":
        return None, str(target)
    found = [_choice_index(one, choices) for one in (target if isinstance(target, list | tuple) else [target])]
    if not found:
        raise DataError("it is an empty list")
    if len(found) > 1 or isinstance(target, list | tuple):
        return None, str(target)
    return found[0], str(choices[found[0]])


def _choice_index(target: Any, choices: Sequence[str]) -> int:
    """Raises:
    DataError: no choice has this index or text.
    """
    if isinstance(target, bool):
        target = int(target)
    if isinstance(target, int):
        if not 0 <= target < len(choices):
            raise DataError(f"index {target} of {len(choices)} choices")
        return target
    if target in choices:
        return list(choices).index(target)
    # lm-eval takes a number in quotes for an index.
    if isinstance(target, str) and target.isdecimal() and int(target) < len(choices):
        return int(target)
    raise DataError(f"{str(target)[:80]!r} is none of {str(list(choices))[:200]}")
