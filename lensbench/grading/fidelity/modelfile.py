"""The structure of a fastText model file: whether it is complete, and its labels.

fastText itself checks the first eight bytes only. A file cut off later, or with a flipped byte in its outline, kills the process,
hangs it, or loads and answers at random, so the file is walked to its end, and its counts are held against each other, before it
is loaded; a process of its own then loads it first (fidelity/trial.py). Source of the layout: fastText 0.9.2, the `load`
functions of `args.cc`, `dictionary.cc`, `densematrix.cc`, `quantmatrix.cc` and `productquantizer.cc`.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from lensbench.errors import UnavailableError

__all__ = ["LABEL_PREFIX", "read_labels"]

LABEL_PREFIX = "__label__"

_MAGIC = 793712314
_SUPERVISED = 3
_LABEL = 1
_CENTROIDS = 256


_LABEL_COUNT = 10**14
"""fastText builds its tree of labels with 10**15 for "none yet"; a larger count reads out of bounds."""


class _CutOff(Exception):
    """The file ends before the model does."""


class _Damaged(Exception):
    """Two numbers of the outline that belong together do not agree."""


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def take(self, layout: str) -> tuple[int, ...]:
        start = self.at
        self.skip(struct.calcsize(layout))
        return struct.unpack_from(layout, self.data, start)

    def skip(self, size: int) -> None:
        self.at += size
        if size < 0 or self.at > len(self.data):
            raise _CutOff

    def string(self) -> bytes:
        start, end = self.at, self.data.find(b"\0", self.at)
        if end < 0:
            raise _CutOff
        self.at = end + 1
        return self.data[start:end]

    def matrix(self, quantised: bool) -> tuple[int, int]:
        """Rows and columns of a matrix, which is passed over."""
        if not quantised:
            rows, columns = self.take("<qq")
            self.skip(rows * columns * 4)
            return rows, columns
        has_norms, rows, columns, codes = self.take("<?qqi")
        self.skip(codes)
        if codes != rows * self.quantiser(columns):
            raise _Damaged
        if has_norms:
            self.skip(rows)
            self.quantiser(1)
        return rows, columns

    def quantiser(self, columns: int) -> int:
        """Codes of a row."""
        dimensions, parts, width, last = self.take("<iiii")
        self.skip(dimensions * _CENTROIDS * 4)
        whole = width > 0 and parts == -(-dimensions // width) and last == (dimensions % width or width)
        if dimensions != columns or not whole:
            raise _Damaged
        return parts


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels of a fastText classifier, without their prefix.

    Raises:
        UnavailableError: the file cannot be read, is empty, is no fastText model, is cut off, or has no labels.
    """
    try:
        with path.open("rb") as stream:
            if not path.stat().st_size:
                raise UnavailableError(f"{path} is empty, not a fastText model", "Fetch it again.")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                labels = _walk(path, _Reader(data))
    except OSError as error:
        raise UnavailableError(f"{path} cannot be read: {error.strerror}") from None
    except _Damaged:
        raise UnavailableError(
            f"{path} is a fastText model that is damaged: its counts do not agree", "Fetch it again."
        ) from None
    except _CutOff:
        size = path.stat().st_size
        raise UnavailableError(f"{path} is a fastText model that is cut off after {size:,} bytes", "Fetch it again.") from None
    if not labels:
        raise UnavailableError(
            f"{path} is a fastText model of word vectors: it has no labels", "Name a language identifier (a classifier)."
        )
    return labels


def _walk(path: Path, file: _Reader) -> tuple[str, ...]:
    """Read the outline to its end. A model of word vectors gives no labels."""
    if len(file.data) < 4 or file.take("<i")[0] != _MAGIC:
        begins = file.data[:12]
        raise UnavailableError(f"{path} is not a fastText model: it begins with {begins!r}", "Name a .bin or .ftz file.")
    _, dim, _, _, _, _, word_ngrams, loss, model, bucket, shortest, longest, _, _ = file.take("<i12id")
    entries, words, known, _, pruned = file.take("<iiiqq")
    hashed = longest > 0 or word_ngrams > 1
    sound = (
        0 < dim <= 65_536
        and 0 <= shortest <= 1_000
        and 0 <= longest <= 1_000
        and 0 < word_ngrams <= 1_000
        and loss in (1, 2, 3, 4)
        and model in (1, 2, 3)
        and bucket >= (1 if hashed else 0)
        and words >= 0
        and known >= 0
        and entries == words + known
        and -1 <= pruned <= bucket
    )
    if not sound:
        raise _Damaged
    labels = []
    for number in range(entries):
        word = file.string()
        count, kind = file.take("<qb")
        if kind != (_LABEL if number >= words else 0) or not 0 <= count < _LABEL_COUNT:
            raise _Damaged
        if kind == _LABEL:
            labels.append(word.decode("utf-8", "replace").removeprefix(LABEL_PREFIX))
    for _ in range(max(pruned, 0)):
        _, place = file.take("<ii")
        if not 0 <= place < pruned:
            raise _Damaged
    quantised = bool(file.take("<?")[0])
    if file.matrix(quantised) != (words + (pruned if pruned >= 0 else bucket), dim):
        raise _Damaged
    quantised_output = bool(file.take("<?")[0])
    rows, columns = file.matrix(quantised and quantised_output)
    if columns != dim or (model == _SUPERVISED and rows != known):
        raise _Damaged
    if file.at != len(file.data):
        raise _Damaged
    return tuple(labels) if model == _SUPERVISED else ()
