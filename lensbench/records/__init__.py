"""The run folder: spec, provenance, enhancements, append-only item records and results."""

from lensbench.records.log import RecordLog
from lensbench.records.run_folder import RunFolder, write_atomically

__all__ = ["RecordLog", "RunFolder", "write_atomically"]
