"""The run folder: spec, provenance, enhancements, append-only item records and results."""

from lensbench.store.records import RecordLog
from lensbench.store.run_folder import RunFolder, write_atomically

__all__ = ["RecordLog", "RunFolder", "write_atomically"]
