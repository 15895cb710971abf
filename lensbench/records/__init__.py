"""Typed records, their keys (`TaskKey`, `Grader`), the rules that decide which of several records counts, and the run folder.

Imports no room but `languages` and the small modules at the top.
"""

from lensbench.records.grader import Grader
from lensbench.records.log import RecordLog
from lensbench.records.run_folder import RunFolder, write_atomically
from lensbench.records.task_key import RowsKey, TaskKey
from lensbench.records.types import (
    AnswerRecord,
    IdentifiedRecord,
    IdentifiedTurn,
    ItemRecord,
    Record,
    ScoreRecord,
    UngradedRecord,
    VerdictRecord,
)

__all__ = [
    "AnswerRecord",
    "Grader",
    "IdentifiedRecord",
    "IdentifiedTurn",
    "ItemRecord",
    "Record",
    "RecordLog",
    "RowsKey",
    "RunFolder",
    "ScoreRecord",
    "TaskKey",
    "UngradedRecord",
    "VerdictRecord",
    "write_atomically",
]
