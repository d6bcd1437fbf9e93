"""The report stage: HTML, Markdown and JUnit from the JSON beside them; nothing is measured here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ...core.atomic import write_bytes
from ...core.documents import LATENCY_SCHEMA, PARITY_SCHEMA, read_json
from ...core.errors import InputError
from ...core.records.parity import FirstDifference
from ...core.run_dir import Run
from ..latency.case_kinds import name_of
from ..parity.first_difference import side_by_side
from ..parity.verdicts import choices, verdict, where, worst_measure
from .baseline import Comparison, Documents, compare_runs
from .charts.catalogue_size import latency_items
from .charts.cold_start import cold_start
from .charts.distributions import distributions
from .charts.figure import Figure
from .charts.recall import latency_recall
from .charts.served import served_rates, server_rows
from .charts.size_quality import size_quality
from .heat_map import cell_detail, matrix, not_passed
from .presentation import duration, kilobytes, percent, significant
from .terminal import number
from .vega import palette

_LATENCY = "pocketrec latency RUN"
# Sections by name: heading, and the command that measures what is missing there.
SECTIONS = {
    "recall": ("Latency against recall", _LATENCY),
    "items": ("Latency against the size of the catalogue", f"{_LATENCY} --items 10000 --items 100000"),
    "quality": ("Size against quality", "pocketrec parity RUN"),
    "cold": ("Cold start", _LATENCY),
    "distributions": ("Distributions of single calls", _LATENCY),
    "served": ("What a server costs", f"{_LATENCY} --served"),
}


def write_report(run: Run, *, baseline: Run | None = None) -> tuple[list[Path], Comparison | None]:
    """Write reports/report.html, report.md and junit.xml; what was not measured is named with the command that does.

    Args:
        baseline: an earlier run to compare with; see `regressions.py`.

    Returns:
        the files, and the comparison where there was a baseline.

    Raises:
        InputError: parity was not run yet, a file has another schema or is truncated, the baseline is the run itself.
    """
    if baseline is not None and baseline.root.resolve() == run.root.resolve():
        raise InputError(
            "--baseline", expected="another run", given=f"{baseline.root}, the run itself", do="name the earlier one"
        )
    now = _documents(run)
    compared = compare_runs(now, _documents(baseline)) if baseline is not None else None
    context = {**_context(run, now), "compared": compared}
    written = {name: _render(f"{name}.j2", context).encode() for name in ("report.html", "report.md")}
    written["junit.xml"] = junit(now.parity, compared)
    for name, data in written.items():
        write_bytes(run.reports / name, data)
    return [run.reports / name for name in written], compared


def _documents(run: Run) -> Documents:
    parity = read_json(run.reports / "parity.json", PARITY_SCHEMA)
    path = run.reports / "latency.json"
    latency = read_json(path, LATENCY_SCHEMA) if path.is_file() else None
    name = run.root.name if run.root.is_absolute() else str(run.root)  # no path of this machine
    return Documents(name, run.variants_json, parity, latency)


def _context(run: Run, documents: Documents) -> dict[str, Any]:
    """What both templates are rendered with."""
    record, variants, parity = run.run_json, documents.variants["variants"], documents.parity
    latency: Mapping[str, Any] = documents.latency or {"results": []}
    results = list(latency["results"])
    figures: dict[str, Figure | None] = {
        "recall": latency_recall(results),
        "items": latency_items(latency),
        "quality": size_quality(variants, parity["results"]),
        "cold": cold_start(results),
        "distributions": distributions(results, run.reports),
        "served": served_rates(results),
    }
    return {
        "title": f"{record['data']['name']}, {record['preset']} preset",
        "verdict": verdict(variants, parity),
        "choices": choices(variants, parity),
        "run": record,
        "variants": variants,
        "parity": parity,
        "matrix": matrix(parity["results"]),
        "cell_details": [cell_detail(row) for row in parity["results"]],
        "not_passed": not_passed(parity["results"]),
        "figures": figures,
        "sections": SECTIONS,
        "latency": latency,
        "rows": [row for row in results if "form" not in row],
        "scaling": [row for row in results if "form" in row],
        "servers": server_rows(results),
        "palette": palette(),
    }


def junit(parity: Mapping[str, Any], compared: Comparison | None = None) -> bytes:
    """Parity results as a JUnit XML test suite; what was compared with a baseline follows as cases `regression.*`."""
    rows = parity["results"]
    worse, more = (len(compared.worse), len(compared.rows)) if compared else (0, 0)
    count = lambda status: sum(row["status"] == status for row in rows)  # noqa: E731
    suite = ElementTree.Element(
        "testsuite",
        name="pocketrec parity",
        tests=str(len(rows) + more),
        failures=str(count("fail") + worse),
        errors=str(count("error")),
        skipped=str(count("skipped")),
    )
    for row in rows:
        place = (row["runtime"], row["target"], row.get("delegate") == "none" and "no-xnnpack")
        case = _case(suite, ".".join(filter(None, place)), f"{row['graph']}-{row['recipe']}")
        tag = {"fail": "failure", "error": "error", "skipped": "skipped"}.get(row["status"])
        if tag:
            said = ElementTree.SubElement(case, tag, message=row["reason"])
            if row.get("first_difference"):
                said.text = "\n".join(side_by_side(FirstDifference.from_json(row["first_difference"])))
    for row in compared.rows if compared else ():
        case = _case(suite, f"regression.{row.kind}", row.what)
        if row.status == "worse":
            ElementTree.SubElement(case, "failure", message=f"{row.before} before, {row.after} now; {row.why}")
    return ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True) + b"\n"


def _case(suite: ElementTree.Element, classname: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=classname, name=name)


def _render(template: str, context: Mapping[str, Any]) -> str:
    try:
        import jinja2
    except ImportError as error:
        raise InputError(
            "report", expected="jinja2 installed", given="no jinja2", do="run `pip install 'pocketrec[bench]'`"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "num": number, "sig": significant, "kb": kilobytes, "us": duration, "percent": percent, "where": where,
        "called": name_of, "worst": worst_measure,
    }  # fmt: skip
    return environment.get_template(template).render(context)
