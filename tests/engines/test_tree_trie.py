"""The trie, its cutting into passes and rows, against slow and obvious counts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tries import Requests, requests

from lensbench.engines.tree.attention_rows import bucket_rows, cut_rows, lay_out, only_queries
from lensbench.engines.tree.pack import Pass, plan_passes
from lensbench.engines.tree.trie import TokenSpan, build_trie, crossed


def prefixes(inputs: list[tuple[int, ...]]) -> set[tuple[int, ...]]:
    return {ids[:n] for ids in inputs for n in range(1, len(ids) + 1)}


def path(run: TokenSpan, offset: int) -> tuple[int, ...]:
    own = tuple(run.tokens[: offset + 1].tolist())
    return path(run.parent, len(run.parent.tokens) - 1) + own if run.parent is not None else own


@given(requests())
def test_every_beginning_is_in_the_trie_once(asked: Requests) -> None:
    inputs, targets = asked
    root = build_trie(inputs, targets)
    found = [path(run, offset) for run in root.below() for offset in range(len(run.tokens))]
    assert len(found) == len(set(found)) == root.size
    assert set(found) == prefixes(inputs)
    assert all(run.depth == len(path(run, 0)) - 1 for run in root.below() if len(run.tokens))


@given(requests())
def test_targets_stand_behind_what_they_are_asked_behind(asked: Requests) -> None:
    inputs, targets = asked
    expected = sorted(
        (request, ids[: len(ids) - len(target) + k + 1], token)
        for request, (ids, target) in enumerate(zip(inputs, targets, strict=True))
        for k, token in enumerate(target)
    )
    root = build_trie(inputs, targets)
    assert sorted((r, path(run, offset), token) for run in root.below() for offset, r, token in run.scored) == expected


def prompt_ends(inputs: list[tuple[int, ...]], targets: list[list[int]], prompted: list[bool]) -> list[int]:
    """Index of the last prompt token of each request, -1 without one."""
    return [
        len(ids) - len(target) if asks and target else -1 for ids, target, asks in zip(inputs, targets, prompted, strict=True)
    ]


@given(requests(), st.lists(st.booleans(), min_size=15, max_size=15), st.sampled_from([1, 20, 64, 100_000]))
def test_ends_are_marked_and_change_nothing_else(asked: Requests, asks: list[bool], budget: int) -> None:
    inputs, targets = asked
    prompted = asks[: len(inputs)]
    ends = prompt_ends(inputs, targets, prompted)
    root, plain = build_trie(inputs, targets, prompted), build_trie(inputs, targets)
    found = {path(run, offset) for run in root.below() for offset in run.ends}
    assert found == {ids[: end + 1] for ids, end in zip(inputs, ends, strict=True) if end >= 0}
    assert not any(run.ends for run in plain.below())
    for one, other in zip(root.below(), plain.below(), strict=True):
        assert one.tokens.tolist() == other.tokens.tolist() and (one.depth, one.scored) == (other.depth, other.scored)
    for step in plan_passes(root, budget):  # also where a beginning is read again
        assert ends_with_ancestors(step) == [beginning for beginning in tokens_with_ancestors(step) if beginning in found]
    alone = {
        request
        for request, (ids, end) in enumerate(zip(inputs, ends, strict=True))
        if targets[request] and {n for n in range(len(ids)) if ids[: n + 1] in found} - {end}
    }
    assert crossed(root, inputs, targets, prompted) == alone


@given(requests(), st.lists(st.booleans(), min_size=15, max_size=15))
def test_ends_kept_apart_lie_on_no_other_path(asked: Requests, asks: list[bool]) -> None:
    inputs, targets = asked
    prompted = asks[: len(inputs)]
    ends = prompt_ends(inputs, targets, prompted)
    told = [tuple((t, n == end) for n, t in enumerate(ids)) for ids, end in zip(inputs, ends, strict=True)]
    root = build_trie(inputs, targets, prompted, apart=True)

    def told_path(run: TokenSpan, offset: int) -> tuple[tuple[int, bool], ...]:
        own = tuple((int(run.tokens[n]), n in run.ends) for n in range(offset + 1))
        return told_path(run.parent, len(run.parent.tokens) - 1) + own if run.parent is not None else own

    found = [told_path(run, offset) for run in root.below() for offset in range(len(run.tokens))]
    assert len(found) == len(set(found)) == root.size
    assert set(found) == {ids[:n] for ids in told for n in range(1, len(ids) + 1)}
    scored = sorted((r, told_path(run, offset), token) for run in root.below() for offset, r, token in run.scored)
    assert scored == sorted(
        (request, ids[: len(ids) - len(target) + k + 1], token)
        for request, (ids, target) in enumerate(zip(told, targets, strict=True))
        for k, token in enumerate(target)
    )


def ends_with_ancestors(step: Pass) -> list[tuple[int, ...]]:
    beginnings, place, found = tokens_with_ancestors(step), 0, []
    for segment in step.segments:
        found += [beginnings[place + offset] for offset in segment.ends]
        place += len(segment.tokens)
    return found


def tokens_with_ancestors(step: Pass) -> list[tuple[int, ...]]:
    """The whole beginning of the input up to each token of a pass."""
    above = tuple(t for kept in step.chain() for segment in kept.segments for t in segment.tokens.tolist())
    found: list[list[tuple[int, ...]]] = []
    for segment in step.segments:
        before = found[segment.parent][-1] if segment.parent >= 0 else above
        assert len(before) == segment.depth
        found.append([before + tuple(segment.tokens[: n + 1].tolist()) for n in range(len(segment.tokens))])
    return [beginning for each in found for beginning in each]


@given(requests(), st.sampled_from([1, 2, 17, 64, 300, 100_000]))
def test_passes_read_everything_and_score_it_once(asked: Requests, budget: int) -> None:
    inputs, targets = asked
    root = build_trie(inputs, targets)
    passes = plan_passes(root, budget)
    read = [beginning for step in passes for beginning in tokens_with_ancestors(step)]
    assert set(read) == prefixes(inputs)
    assert all(step.tokens <= budget + budget // 64 for step in passes)
    if budget < 64:
        assert len(read) == root.size
    scored = [(request, token) for step in passes for segment in step.segments for _, request, token in segment.scored]
    assert sorted(scored) == sorted((r, token) for r, target in enumerate(targets) for token in target)
    for number, step in enumerate(passes):
        assert step.above is None or (step.above.is_prefix and step.above in passes[:number])


def test_a_prefix_of_all_items_is_read_once_and_a_short_one_costs_little() -> None:
    few_shot, bos = tuple(range(600)), (0,)
    items = [(1000 + i, *range(50)) for i in range(300)]
    for shared, most in ((few_shot, 1.0), (bos, 1.001)):
        inputs = [(*shared, *item) for item in items]
        root = build_trie(inputs, [[1]] * len(inputs))
        assert root.size == len(shared) + sum(map(len, items))
        read = sum(step.tokens for step in plan_passes(root, 1024))
        assert root.size <= read <= most * root.size


@given(requests())
def test_rows_ask_every_token_once_among_its_ancestors(asked: Requests) -> None:
    inputs, targets = asked
    for step in plan_passes(build_trie(inputs, targets), 120):
        layout, beginnings = lay_out(step), tokens_with_ancestors(step)
        place = {beginning: index for index, beginning in enumerate(beginnings)}
        rows = cut_rows(step, layout)
        assert sorted(np.concatenate([row.queries for row in rows]).tolist()) == list(range(len(beginnings)))
        for row in rows:
            keys = set(row.keys.tolist())
            assert len(keys) == len(row.keys)
            for query in row.queries.tolist():
                ancestors = {place[b] for n in range(1, len(beginnings[query]) + 1) if (b := beginnings[query][:n]) in place}
                assert ancestors <= keys
                assert ancestors == {k for k in keys if k <= query < layout.ends[k]}
        cached = step.segments[0].depth
        assert sorted(id(row) for bucket in bucket_rows(rows, cached) for row in bucket) == sorted(map(id, rows))
        wanted = np.arange(0, len(beginnings), 3)
        narrow = only_queries(rows, wanted)
        assert sorted(np.concatenate([row.queries for row in narrow]).tolist()) == wanted.tolist()
