"""One item as the model reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lensbench.backbones import Backbone
from lensbench.backbones.checkpoint import Checkpoint
from lensbench.backbones.opening import open_tokenizer
from lensbench.datasets.sources import DataSource
from lensbench.engines.chat import chat_renderer, encode_prompt
from lensbench.engines.encoding import RequestEncoder
from lensbench.errors import UnavailableError, UsageError
from lensbench.tasks.build import build_items, build_task
from lensbench.tasks.resolve import TaskInLanguage

__all__ = ["describe_item"]

_ENDS = 8
"""Token ids shown at the beginning and the end."""


def describe_item(
    task: TaskInLanguage, source: DataSource, backbone: Backbone, checkpoint: Checkpoint, index: int, *, trust_model: bool = False
) -> Iterator[str]:
    """Lines that show one item: where its row is from, every distinct context, its choices and their token ids.

    Only the tokenizer is loaded, not the model.

    Raises:
        UsageError: there is no item of this number.
    """
    tokenizer: Any = open_tokenizer(checkpoint, trust=trust_model and backbone.is_given)
    rows = None
    if task.entry.file.rows:
        spec = task.find_rows(source)
        if spec is None:
            raise UnavailableError(f"{source.describe()} has no rows for '{task.name}' in '{task.language.code}'")
        rows = source.load(spec, task.language, task.split)

    chat = chat_renderer(tokenizer, backbone.system_text)
    items = build_items(task, build_task(task, rows), chat, index + 1)
    if index >= len(items):
        raise UsageError(f"there is no item {index + 1}: '{task.name}' in '{task.language.code}' has {len(items)}")
    item = items[index]
    yield f"{task.title}, {task.language.name}, profile {task.profile.profile} (protocol {task.protocol_hash()})"
    yield f"item {index + 1} in the profile's order, row {item.doc_id + 1} of the {task.split} split"
    if rows is not None:
        yield f"rows from {rows.origin.kind} {rows.origin.name}" + (f" ({rows.origin.warning})" if rows.origin.warning else "")
    encoder = RequestEncoder(tokenizer, None, None, backbone.system_text)
    ids: list[int]
    target: list[int]
    shown = None
    for number, (context, continuation) in enumerate(item.requests):
        if task.profile.generates:
            ids, target = encode_prompt(tokenizer, context), []
        else:
            _, ids, target = encoder.token_request(context, continuation, first_token=task.profile.scoring == "first_token")
        if context != shown:
            yield ""
            yield from ("| " + line for line in context.split("\n"))
            yield f"  {len(ids)} tokens: {_ends(ids)}; {_bos(ids, tokenizer.bos_token_id)}"
            shown = context
        if target:
            pieces = " ".join(repr(tokenizer.decode([token])) for token in target[:_ENDS])
            mark = "  <- gold" if _is_gold(item.gold, continuation) else ""
            more = " ..." if len(target) > _ENDS else ""
            yield f"  choice {number + 1}: {continuation!r} = {target[:_ENDS]}{more} {pieces}{mark}"
    yield f"  gold: {item.gold!r}" if item.gold else "  no gold answer: open question"


def _is_gold(gold: str, continuation: str) -> bool:
    return continuation.strip() == gold.strip()


def _ends(ids: list[int]) -> str:
    if len(ids) <= 2 * _ENDS:
        return str(ids)
    return f"{str(ids[:_ENDS])[:-1]} ... {str(ids[-_ENDS:])[1:]}"


def _bos(ids: list[int], bos: int | None) -> str:
    """BOS tokens at the beginning; a template may use the same token again between turns, so only the run at the head counts."""
    if bos is None:
        return "the tokenizer has no BOS"
    count = next((i for i, token in enumerate(ids) if token != bos), len(ids))
    note = {0: " (this tokenizer puts none before plain text)", 1: ""}.get(count, " (one too many!)")
    return f"{count} BOS{note}"
