"""Reading the samples that lm-eval logged with `--log_samples`, as 0.4.0 and all later versions wrote them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lensbench.errors import DataError
from lensbench.jsonio import JsonObject, read_bounded, read_json_file, read_json_lines

__all__ = ["LmEvalSample", "read_samples", "sample_hash"]

_NEEDED = ("doc_id", "doc", "target", "arguments", "filtered_resps")
_KNOWN = (*_NEEDED, "resps", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash", "task_name", "schema")
"""Keys that are no metric."""
_CUT = "Was lm-eval stopped while it wrote, or the file edited since?"
_SCORED = ("multiple_choice", "loglikelihood", "loglikelihood_rolling")


@dataclass
class LmEvalSample:
    """One question under one model.

    Attributes:
        arguments: Of every request, as lm-eval wrote them.
        requests: (context, continuation) of every request; continuation "" where text was to be generated.
        answers: (log-likelihood, greedy) of every request; empty where text was generated.
        metrics: `METRIC,FILTER` -> value as it was written.
        texts: Filter -> what it left of the generated text.
    """

    doc_id: int
    doc: JsonObject
    target: str
    hashes: tuple[str, str, str]
    arguments: list[JsonObject]
    requests: list[tuple[str, str]]
    answers: list[tuple[float, bool]]
    metrics: JsonObject = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def read_samples(path: Path, output_type: Any, filters: Sequence[str]) -> list[LmEvalSample]:
    """The samples of one task by document; a document has a line for each filter.

    Args:
        output_type: What the task's configuration says is asked for; None where it does not say.
        filters: Names in the order of application, for files from before lines named theirs (0.4.7).

    Raises:
        DataError: a line is cut off, is no sample, or repeats a document under one filter.
    """
    found: dict[int, LmEvalSample] = {}
    seen: dict[int, list[str]] = {}
    for where, record in _lines(path):
        missing = [name for name in _NEEDED if name not in record]
        if missing:
            raise DataError(
                f"{where}: no {', '.join(missing)}", "lm-eval 0.4 writes them with --log_samples; was the file edited?"
            )
        try:
            doc_id = int(record["doc_id"])
            own = seen.setdefault(doc_id, [])
            kept = record.get("filter", filters[len(own)] if len(own) < len(filters) else filters[-1])
            if kept in own:
                raise DataError(f"{where}: document {doc_id} appears twice (filter {kept})")
            own.append(kept)
            _take(found, doc_id, record, str(kept), output_type)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise DataError(f"{where}: not a sample in lm-eval's format ({error!r})") from None
    return [found[doc_id] for doc_id in sorted(found)]


def _lines(path: Path) -> Iterator[tuple[str, JsonObject]]:
    """Place and content of every sample; before 0.4.3 the file is one JSON list, whatever its ending says."""
    try:
        if read_bounded(path).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            content = read_json_file(path)
            for number, record in enumerate(content, start=1):
                if not isinstance(record, dict):
                    raise DataError(f"{path}, entry {number}: expected an object, found {type(record).__name__}")
                yield f"{path}, entry {number}", record
            return
        for number, record in read_json_lines(path):
            yield f"{path}, line {number}", record
    except DataError as error:
        raise DataError(error.message, error.hint or _CUT) from None


def _take(found: dict[int, LmEvalSample], doc_id: int, record: Mapping[str, Any], kept: str, output_type: Any) -> None:
    arguments = _arguments(record["arguments"])
    # A request for text carries its settings beside the prompt, one for a log-likelihood the continuation.
    scored = output_type in _SCORED if isinstance(output_type, str) else all(isinstance(a.get("arg_1"), str) for a in arguments)
    requests = [(str(a["arg_0"]), a["arg_1"] if isinstance(a.get("arg_1"), str) else "") for a in arguments]
    replies = record["filtered_resps"]
    answers = [_answer(reply) for reply in replies] if scored else []
    if doc_id not in found:
        doc = dict(record["doc"]) if isinstance(record["doc"], Mapping) else {"doc": record["doc"]}
        hashes = _hashes(record, requests)
        found[doc_id] = LmEvalSample(doc_id, doc, str(record["target"]), hashes, arguments, requests, answers)
    sample = found[doc_id]
    names = record["metrics"] if "metrics" in record else [key for key in record if key not in _KNOWN]
    for metric in names:
        sample.metrics[f"{metric},{kept}"] = record.get(metric)
    if not scored:
        sample.texts[kept] = str(replies[0] if isinstance(replies, list) and replies else replies)


def _arguments(given: Any) -> list[JsonObject]:
    """`gen_args_0: {arg_0, arg_1}`, and before 0.4.3 plain lists."""
    if isinstance(given, list):
        return [{f"arg_{i}": part for i, part in enumerate(request)} for request in given]
    return [dict(given[f"gen_args_{i}"]) for i in range(len(given))]


def _answer(reply: Any) -> tuple[float, bool]:
    """A pair of log-likelihood and greediness; of a rolling one, which has no such, the log-likelihood alone."""
    if isinstance(reply, list):
        if len(reply) != 2:
            raise ValueError(f"a reply of {len(reply)} parts")
        return float(reply[0]), str(reply[1]) == "True"
    return float(reply), False


def _hashes(record: Mapping[str, Any], requests: Sequence[tuple[str, str]]) -> tuple[str, str, str]:
    """Of document, prompt and target; made as lm-eval makes them where a file from before 0.4.3 has none."""
    made = (json.dumps(record["doc"], indent=2, ensure_ascii=False), requests[0][0] if requests else "", str(record["target"]))
    names = ("doc_hash", "prompt_hash", "target_hash")
    first, second, third = (
        str(record[name]) if name in record else sample_hash(text) for name, text in zip(names, made, strict=True)
    )
    return first, second, third


def sample_hash(text: str) -> str:
    """SHA-256 as lm-eval's `hash_string`."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
