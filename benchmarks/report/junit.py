"""Parity results as a JUnit XML test suite."""

from collections.abc import Sequence
from xml.etree import ElementTree

from ...core.records.parity import ParityRow
from ..parity.judging.first_difference import side_by_side
from .baseline import Comparison
from .changes import Change

# What JUnit calls a status of parity.json; a passing case has no element.
_ELEMENTS = {"fail": "failure", "error": "error", "skipped": "skipped"}


def junit(rows: Sequence[ParityRow], compared: Comparison | None = None) -> bytes:
    """Parity results as a test suite; what was compared with a baseline follows as cases `regression.*`."""
    changes: Sequence[Change] = compared.rows if compared else ()
    counts = {status: sum(row.status == status for row in rows) for status in _ELEMENTS}
    suite = ElementTree.Element(
        "testsuite",
        name="pocketrec parity",
        tests=str(len(rows) + len(changes)),
        failures=str(counts["fail"] + sum(change.status == "worse" for change in changes)),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
    )
    for row in rows:
        _add_cell(suite, row)
    for change in changes:
        case = _case(suite, f"regression.{change.kind}", change.what)
        if change.status == "worse":
            message = f"{change.before} before, {change.after} now; {change.why}"
            ElementTree.SubElement(case, "failure", message=message)
    return ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True) + b"\n"


def _add_cell(suite: ElementTree.Element, row: ParityRow) -> None:
    place = [row.runtime, row.target, *(["no-xnnpack"] if row.delegate == "none" else [])]
    case = _case(suite, ".".join(place), f"{row.graph}-{row.recipe}")
    if row.status in _ELEMENTS:
        element = ElementTree.SubElement(case, _ELEMENTS[row.status], message=row.reason)
        if row.first_difference is not None:
            element.text = "\n".join(side_by_side(row.first_difference))


def _case(suite: ElementTree.Element, classname: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=classname, name=name)
