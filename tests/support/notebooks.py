"""Running a notebook as a reader would, in a kernel of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]


def run_notebook(path: Path, home: Path, parameters: Mapping[str, Any], env: Mapping[str, str]) -> Any:
    """The notebook with its outputs.

    Args:
        home: Folder in which it runs.
        parameters: Values in place of those of the cell that is tagged "parameters"; each must be there.
    """
    notebook = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    named = {line.split(" = ")[0] for line in cell.source.splitlines()}
    assert set(parameters) <= named
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), **env}
    client = NotebookClient(notebook, timeout=540, kernel_name="python3", resources={"metadata": {"path": str(home)}})
    return client.execute(env=environment)


def outputs_of(notebook: Any, source: str) -> dict[str, str]:
    """What the last expression of the first cell that begins with a text showed, by MIME type."""
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.startswith(source))
    (shown,) = [dict(output.data) for output in cell.outputs if output.output_type == "execute_result"]
    return shown
