"""Original release files, as their authors published them, turned into the hub's field names as parquet.

A new format is one module in `formats/` and one line in `formats/__init__.py`.
"""

from lensbench.datasets.importing.report import ImportedFile, ImportReport, SkippedFile
from lensbench.datasets.importing.run import import_folder

__all__ = ["ImportReport", "ImportedFile", "SkippedFile", "import_folder"]
