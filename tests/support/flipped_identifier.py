"""Loads damaged copies of a fastText file, one a line, and says what became of each; run as a process of its own."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from lensbench.errors import LensbenchError
from lensbench.grading.fidelity import Identifier


def main(source: Path, target: Path, seeds: range) -> None:
    whole = source.read_bytes()
    for seed in seeds:
        rng = random.Random(seed)
        content = bytearray(whole)
        # The outline (arguments, counts, words) stands in the first part of the file; the rest are numbers of matrices.
        for _ in range(rng.choice((1, 1, 2, 8))):
            content[rng.randrange(4, rng.choice((120, 2_000, len(content))))] ^= 1 << rng.randrange(8)
        target.write_bytes(content)
        try:
            Identifier("flipped", target).identify("Habari ya asubuhi, rafiki yangu.")
            print(seed, "read")
        except LensbenchError as error:
            print(seed, "refused", error.message.replace(str(target), "FILE"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), range(int(sys.argv[3]), int(sys.argv[4])))
