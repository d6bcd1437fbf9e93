"""The report stage: HTML, Markdown and JUnit from the JSON beside them; nothing is measured here."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from ...core.documents import LATENCY_SCHEMA, read_json
from ...core.errors import InputError
from ...core.files.atomic import write_bytes
from ...core.records.latency import LatencyReport, LatencyRow
from ...core.records.parity import ParityReport
from ...core.run_dir import Run
from ..latency.case_kinds import own_catalogue
from ..parity.judging.verdicts import choices, verdict
from .baseline import Comparison, Documents, compare_runs
from .charts.chart import Results
from .charts.table import CHARTS
from .columns import HTML, MARKDOWN, Grid, grid
from .heat_map import cell_detail, matrix, not_passed
from .junit import junit
from .presentation import count, counted, four_digits, kilobytes, percent, significant
from .tables import (
    CATALOGUE_COLUMNS,
    CHANGE_COLUMNS,
    COVERS,
    LATENCY_COLUMNS,
    PARITY_COLUMNS,
    SERVER_COLUMNS,
    VARIANT_COLUMNS,
    cost_sentence,
    swept,
)
from .vega import palette

Context: TypeAlias = dict[str, object]
_SURFACES = {"report.html": HTML, "report.md": MARKDOWN}
# The tables at the end of the page: name, title, and the file that they show.
ALL_ROWS = (
    ("variants", "Variants", "variants.json"),
    ("parity", "Parity", "parity.json"),
    ("latency", "Latency", "latency.json"),
    ("catalogues", "Catalogue sizes", "latency.json"),
)


def write_report(run: Run, *, baseline: Run | None = None) -> tuple[list[Path], Comparison | None]:
    """Write reports/report.html, report.md and junit.xml; what was not measured is named with the command that measures it.

    Args:
        run: with reports/parity.json; reports/latency.json is shown where there is one.
        baseline: an earlier run to compare with; see baseline.py.

    Returns:
        the files, and the comparison where there was a baseline.

    Raises:
        InputError: parity was not run yet, a file has another schema or is truncated, the baseline is the run itself.
    """
    if baseline is not None and baseline.root.resolve() == run.root.resolve():
        given = f"{baseline.root}, the run itself"
        raise InputError(
            "--baseline", expected="another run", given=given, do="name the earlier one", code="OPTION_CONFLICT"
        )
    now = _documents(run)
    compared = compare_runs(now, _documents(baseline)) if baseline is not None else None
    context = {**_context(run, now), "compared": compared}
    written = {name: _render(name, {**context, **_tables(now, compared, _SURFACES[name])}) for name in _SURFACES}
    written["junit.xml"] = junit(now.parity.rows, compared)
    for name, data in written.items():
        write_bytes(run.reports / name, data)
    return [run.reports / name for name in written], compared


def _documents(run: Run) -> Documents:
    name = run.root.name if run.root.is_absolute() else str(run.root)  # no path of this machine
    return Documents(name, run.variants, ParityReport.read(run), read_latency(run.reports / "latency.json"))


def read_latency(path: Path) -> LatencyReport | None:
    """latency.json; None where there is none.

    Raises:
        InputError: it has another schema, or lacks a field.
    """
    return LatencyReport.from_json(read_json(path, LATENCY_SCHEMA), str(path)) if path.is_file() else None


def _context(run: Run, documents: Documents) -> Context:
    """What both templates are rendered with, whatever the surface."""
    record, variants, parity = run.record, documents.variants, documents.parity
    latency = documents.latency or LatencyReport(results=[])
    results = Results(latency, variants, parity.rows, run.reports)
    servers = _servers(latency)
    return {
        "title": f"{record.data.name}, {record.preset} preset",
        "verdict": verdict(variants, parity.rows),
        "choices": choices(variants, parity.rows),
        "run": record,
        "parity": parity,
        "latency": latency,
        "matrix": matrix(parity.rows),
        "cell_details": [cell_detail(row) for row in parity.rows],
        "not_passed": not_passed(parity.rows),
        "charts": CHARTS,
        "figures": {chart.name: chart.figure(results) for chart in CHARTS},
        "hosts": [found for found in _hosts(parity, documents.latency) if found["host"]],
        "all_rows": ALL_ROWS,
        "rtt_ms": next((row.rtt_ms for row in servers if row.rtt_ms is not None), None),
        "palette": palette(),
    }


def _hosts(parity: ParityReport, latency: LatencyReport | None) -> list[Context]:
    """What was measured on what, and made from what."""
    found: list[Context] = [{"name": "parity.json", "host": parity.host, "made_from_sha256": parity.made_from_sha256}]
    if latency is not None:
        found.append({"name": "latency.json", "host": latency.host, "made_from_sha256": latency.made_from_sha256})
    return found


def _servers(latency: LatencyReport) -> list[LatencyRow]:
    """Rows of servers, by how much of an answer they cover: index only, encoder and index, the whole over HTTP."""
    order = list(COVERS)
    rows = [row for row in own_catalogue(latency.measured) if not row.is_tflite]
    return sorted(rows, key=lambda row: order.index(row.covers) if row.covers in order else len(order))


def _tables(documents: Documents, compared: Comparison | None, surface: str) -> dict[str, object]:
    """Every table of a surface, as grids by name."""
    latency = documents.latency or LatencyReport(results=[])
    own = [(number, row) for number, row in enumerate(latency.rows) if row.is_own_catalogue]
    changes = [*compared.worse, *compared.better] if compared else []
    grids: dict[str, Grid] = {
        "variants": grid(VARIANT_COLUMNS, documents.variants, surface),
        "parity": grid(PARITY_COLUMNS, documents.parity.rows, surface),
        "latency": grid(
            LATENCY_COLUMNS,
            [row for _, row in own],
            surface,
            sources=[f"latency.json results[{i}]" for i, _ in own],
            section="target",
        ),
        "catalogues": grid(CATALOGUE_COLUMNS, swept(latency), surface),
        "servers": grid(SERVER_COLUMNS, _servers(latency), surface),
        "changes": grid(CHANGE_COLUMNS, changes, surface, sources=[change.source for change in changes]),
    }
    return {"tables": grids}


def _render(name: str, context: Mapping[str, object]) -> bytes:
    try:
        import jinja2
    except ImportError as error:
        do = "run `pip install 'pocketrec[bench]'`"
        raise InputError("report", expected="Jinja2", given="none", do=do, code="NOT_INSTALLED") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (count, counted, four_digits, kilobytes, percent, significant)
    environment.filters |= {function.__name__: function for function in filters}
    environment.filters |= {"cost_sentence": cost_sentence}
    return environment.get_template(f"{name}.j2").render(context).encode()
