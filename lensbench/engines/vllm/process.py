"""One vLLM engine: started on a model folder, asked, and ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lensbench.engines.vllm.package import first_line
from lensbench.errors import RunError
from lensbench.memory import release

__all__ = ["ask", "running"]

_HINT = (
    "Finished work is in the run folder. Run the same command again to continue. Without vLLM: ``engine=tree``, another ``out``."
)


@contextmanager
def running(vllm: Any, model: Path, *, dtype: str, window: int, trust: bool) -> Iterator[Any]:
    """An engine while the context lasts; its memory is free afterwards.

    Args:
        vllm: The module.
        model: Folder of safetensors, with the tokenizer.
        dtype: "float32", "bfloat16" or "float16".
        window: Most tokens of a prompt and its answer together.
        trust: Whether the folder's own Python code may run.

    Raises:
        RunError: vLLM does not start; with its own words.
    """
    try:
        llm = vllm.LLM(
            str(model),
            dtype=dtype,
            max_model_len=window,
            load_format="safetensors",
            trust_remote_code=trust,
            enable_prefix_caching=True,
        )
    except Exception as error:
        release()
        raise RunError(f"vLLM does not start on {model}: {first_line(error)}", _HINT) from None
    try:
        yield llm
    finally:
        # The engine is a process of its own; waiting for the last reference to go would leave its end to chance.
        llm.llm_engine.engine_core.shutdown()
        del llm
        release()


def ask(vllm: Any, llm: Any, prompts: Sequence[tuple[int, ...]], params: Any) -> list[Any]:
    """One `RequestOutput` for each prompt, in their order.

    Args:
        prompts: Token ids.
        params: `SamplingParams` for all, or one for each.

    Raises:
        RunError: vLLM stopped (out of memory, a dead engine, a prompt it refuses), or did not answer what it was asked.
    """
    try:
        asked = [vllm.TokensPrompt(prompt_token_ids=list(prompt)) for prompt in prompts]
        outputs = llm.generate(asked, params, use_tqdm=False)
    except Exception as error:
        raise RunError(f"vLLM stopped: {first_line(error)}", _HINT) from None
    if [tuple(output.prompt_token_ids) for output in outputs] != [tuple(prompt) for prompt in prompts]:
        raise RunError(f"vLLM answered {len(outputs)} prompts that are not the {len(prompts)} requested prompts", _HINT)
    return list(outputs)
