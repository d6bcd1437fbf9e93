"""The table of models' quality."""

import io

from pocketrec.cli.render.quality import quality_table
from pocketrec.core.records.run import BaselineRow
from rich.console import Console

ROWS = [
    BaselineRow("pocket", 0.9, 0.25, 0.7, 0.4, 12.0),
    BaselineRow("bias", 0.94, None, None, None, 0.1),
    BaselineRow("ease", None, 0.3, 0.6, 0.4, 3.21),
]


def test_what_a_model_does_not_offer_is_a_dash():
    console = Console(file=io.StringIO(), width=100)
    console.print(quality_table(ROWS, "Quality"))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in console.file.getvalue().splitlines()]
    assert ["bias", "0.9400", "–", "–", "–", "0.1"] in rows
    assert ["ease", "–", "0.3000", "0.6000", "0.4000", "3.2"] in rows


def test_the_best_of_each_column_is_bold_ties_too():
    table = quality_table(ROWS, "Quality")
    bold = [[cell.plain for cell in column.cells if "bold" in str(cell.style)] for column in table.columns[1:5]]
    assert bold == [["0.9000"], ["0.3000"], ["0.7000"], ["0.4000", "0.4000"]]
    assert quality_table([], "Quality").row_count == 0
