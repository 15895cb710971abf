"""Answers of several variants: those that share blocks in one batch, each of the others alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.blocks import Blocks, CannotPack
from lensbench.engines.generation.decode import generate_answers, places_for
from lensbench.engines.layer_sharing import Branch, branch_of_variant
from lensbench.engines.protocol import AnswerRequest, EngineVariant, GeneratedAnswer

__all__ = ["answer_variants"]


def answer_variants(
    loaded: LoadedBackbone,
    requests: Sequence[AnswerRequest],
    variants: Sequence[EngineVariant],
    language: str,
    batch_size: int,
    on_answer: Callable[[int, GeneratedAnswer], None],
    *,
    branch_of: Callable[[EngineVariant], Branch | None] | None = None,
) -> None:
    """Generate all answers by lensbench's own generation.

    Variants that share blocks with the backbone answer in one batch, of `batch_size` rows for each where memory allows; the
    others, and those that change the first block, one after the other.

    Args:
        branch_of: The branch of a variant in this language, from who knows it; None works it out.

    Raises:
        RunError: there is not enough memory for one answer.
    """
    asked = sorted({request.variant for request in requests})
    known = branch_of or functools.partial(branch_of_variant, loaded, language=language)
    together = _sharing(loaded, {place: variants[place] for place in asked}, known)
    if together:
        indices = [index for index, request in enumerate(requests) if request.variant in together]
        order = {place: number for number, place in enumerate(together)}
        chosen = [replace(requests[index], variant=order[requests[index].variant]) for index in indices]
        _generate(loaded, chosen, indices, list(together.values()), batch_size, on_answer)
    for place in asked:
        if place not in together:
            indices = [index for index, request in enumerate(requests) if request.variant == place]
            with variants[place].applied(loaded, language):
                _generate(loaded, [replace(requests[index], variant=0) for index in indices], indices, [], batch_size, on_answer)


def _generate(
    loaded: LoadedBackbone,
    requests: Sequence[AnswerRequest],
    indices: Sequence[int],
    branches: Sequence[Branch],
    batch_size: int,
    on_answer: Callable[[int, GeneratedAnswer], None],
) -> None:
    """
    Args:
        indices: Of the requests, as `on_answer` gets them.
    """
    places = places_for(loaded, requests, batch_size, len(branches) or 1)
    generate_answers(
        loaded, requests, batch_size=places, branches=branches, on_answer=lambda index, answer: on_answer(indices[index], answer)
    )


def _sharing(
    loaded: LoadedBackbone, variants: dict[int, EngineVariant], branch_of: Callable[[EngineVariant], Branch | None]
) -> dict[int, Branch]:
    """The variants that share blocks, if several do; none where this model's blocks cannot be called one by one."""
    # To find its branch a variant is applied, which is not free.
    if len(variants) < 2:
        return {}
    try:
        Blocks(loaded)
    except CannotPack:
        return {}
    found = {}
    for place, variant in variants.items():
        branch = branch_of(variant)
        if branch is not None and (branch.start != 0 or branch.is_patch):
            found[place] = branch
    return found if len(found) > 1 else {}
