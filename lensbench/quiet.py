"""Turns off the progress bars of other libraries, reads their warnings, and prints those that may change a number.

transformers, datasets, lm-eval and the hub warn through `logging`. Nothing of that is thrown away unread: a warning that a
check of ours covers, or that changes no number, stands in a list below with the reason; every other one is printed once.
`docs/engines.md` has the same list as a table.
"""

from __future__ import annotations

import logging
import os
import re
import sys

from lensbench.printable import printable

__all__ = ["COVERED", "HARMLESS", "LIBRARIES", "Telling", "quiet_libraries"]

LIBRARIES = ("transformers", "lm_eval", "datasets", "httpx", "huggingface_hub")

COVERED = {
    r"LOAD REPORT|were not initialized from|were not used when": "open_model refuses tensors that are missing or left over",
    r"Token indices sequence length is longer": "a request longer than the window has the state `truncated` or `no_room`",
    r"Combined length of context|exceeds model's maximum length|Truncating": "the same; only lm-eval's own models say it",
    r"is_decoder=True": "check_loadable refuses encoders",
    r"tokens have been added in the vocabulary|Setting `pad_token_id`": "ids beyond the embedding are refused; pads are masked",
}
"""Pattern of a warning -> the check of ours that takes its place."""

HARMLESS = {
    r"generation flags|generation_config|generation config|set in the model config": "answers are decoded here, by our settings",
    r"attention mask|padding was detected|right-padding|left-padding": "batches bring their own masks and positions",
    r"use_cache=True|gradient checkpointing|past_key_values": "says that a cache is not used while training",
    r"unauthenticated requests|HF_TOKEN": "concerns the speed of downloads",
    r"torch_dtype.? is deprecated|is deprecated and will be removed|FutureWarning": "concerns later versions",
    r"flash.?attn|Flash Attention|kernels": "another implementation of the same attention",
    r"quantization_config.*passed|has already quantized": "names the settings that the weights were packed with",
    r"aggregation is not|higher_is_better is not|not defined\. using default|is defined, but": "our own mean is taken",
    r"Overwriting default num_fewshot|num_fewshot has been set|chat template formatting|apply_chat_template": "the plan shows it",
    r"Using the latest cached version|Found the latest cached|Couldn't reach": "origin, commit and digest are in the result",
    r"Retrying|retry|Retry": "a request that was made again; its end is an answer or an error",
    r"\[Task:.*(has_training_docs|has_validation_docs|metric)": "the split and the metrics stand in the resolved task",
}
"""Pattern of a warning that changes no number -> why."""


class Telling(logging.Handler):
    """Prints each warning once, unless it is known."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._known = re.compile("|".join((*COVERED, *HARMLESS)))
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        # The same sentence about another number or path is the same warning.
        kind = re.sub(r"\d+|'[^']*'|`[^`]*`|/\S+", "#", text)
        if self._known.search(text) or kind in self._said:
            return
        self._said.add(kind)
        print(f"! {record.name.partition('.')[0]} says: {printable(text, one_line=True)[:500]}", file=sys.stderr)


def quiet_libraries() -> None:
    """Turn off progress bars of transformers, datasets and the hub; tell what they warn of, as above."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import datasets
    import transformers

    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    handler = Telling()
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.WARNING)
