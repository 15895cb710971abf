"""`python -m lensbench.interop.lm_eval ARGUMENTS`: lm-eval's own command, which knows the model `lensbench`."""

from __future__ import annotations

import importlib
import sys

from lensbench.errors import LensbenchError
from lensbench.printable import printable


def main() -> None:
    """Register the model, then run lm-eval."""
    importlib.import_module("lensbench.interop.lm_eval.model")
    from lm_eval.__main__ import cli_evaluate

    try:
        cli_evaluate()
    except LensbenchError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
