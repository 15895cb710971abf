"""Two ranks: `rank_that_fails.py error|bug FOLDER`. Rank 1 fails while rank 0 waits for it, or while it is busy."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from lensbench.errors import LensbenchError, RunError
from lensbench.executors.launch import find_place, joined
from lensbench.methods.base import SilentProgress
from lensbench.records import RunFolder


def main(how: str, folder: Path) -> None:
    with joined(find_place(None)) as ranks, ranks.log(RunFolder(folder), "score") as log:
        if ranks.rank:
            raise RunError("its disk is gone") if how == "error" else ValueError("a slip")
        if how == "error":
            ranks.collect(log, SilentProgress())
        else:
            time.sleep(1000)


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except LensbenchError as error:
        print(f"told: {error.message}")
        sys.exit(error.exit_code)
