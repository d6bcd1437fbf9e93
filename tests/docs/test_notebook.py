"""The quickstart notebook runs from the first cell to the last, and is committed without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "quickstart.ipynb"


def test_the_committed_notebook_holds_no_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert [cell for cell in cells if cell.cell_type == "code" and (cell.outputs or cell.execution_count)] == []


@pytest.mark.full
def test_the_notebook_runs_and_shows_what_it_promises(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    results = [output["data"] for output in shown if output["output_type"] == "execute_result"]
    assert "recall_at_10" in results[0]["text/plain"]
    assert "recommender-dynamic_int8.tflite" in results[1]["text/plain"]
    assert "<table" in results[2]["text/html"]
    assert results[3]["text/plain"].count("item ") == 5
