"""Replaces lm-eval's template rendering, which has no sandbox, with ours."""

from __future__ import annotations

import sys

from lensbench.sandbox import render, task_environment

__all__ = ["sandbox_lm_eval"]


def sandbox_lm_eval() -> None:
    """Every template that lm-eval renders in this process from now on is rendered in the sandbox.

    lm-eval's own modules call `utils.apply_template`; those that took the function by name, such as the code beside a task, get
    the other one too.
    """
    from lm_eval import utils

    if utils.apply_template is render:
        return
    theirs = utils.apply_template
    utils.env = task_environment()
    for name, module in list(sys.modules.items()):
        if name.startswith("lm_eval") and getattr(module, "apply_template", None) is theirs:
            module.apply_template = render  # type: ignore[attr-defined]
    utils.apply_template = render
