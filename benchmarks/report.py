"""The report stage: HTML, Markdown and JUnit from the JSON beside them; nothing is measured here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..train.artifacts import LATENCY_SCHEMA, PARITY_SCHEMA, Run, read_json, write_bytes
from ..train.errors import InputError
from .differences import side_by_side
from .parity import failed
from .tables import number


def write_report(run: Run) -> list[Path]:
    """Write reports/report.html, report.md and junit.xml; latency is left out where it was not measured.

    Raises:
        InputError: parity was not run yet, or a file has another schema.
    """
    parity = read_json(run.reports / "parity.json", PARITY_SCHEMA)
    measured = (run.reports / "latency.json").is_file()
    latency = read_json(run.reports / "latency.json", LATENCY_SCHEMA) if measured else {"results": []}
    record = run.run_json
    context = {
        "title": f"{record['data']['name']}, {record['preset']} preset",
        "verdict": verdict(run.variants_json["variants"], parity),
        "run": record,
        "variants": run.variants_json["variants"],
        "parity": parity["results"],
        "latency": [row for row in latency["results"] if "form" not in row],
        "scaling": [row for row in latency["results"] if "form" in row],
        "costs": latency.get("cost_model", []),
    }
    written = {name: _render(f"{name}.j2", context).encode() for name in ("report.html", "report.md")}
    written["junit.xml"] = junit(parity)
    for name, data in written.items():
        write_bytes(run.reports / name, data)
    return [run.reports / name for name in written]


def verdict(variants: list[dict[str, Any]], parity: Mapping[str, Any]) -> str:
    """One sentence: for each graph, the smallest variant that passed wherever it ran."""
    bad = {(row["graph"], row["recipe"]) for row in failed(dict(parity))}
    ran = {(row["graph"], row["recipe"]) for row in parity["results"] if row["status"] == "pass"}
    parts = []
    for graph in dict.fromkeys(v["graph"] for v in variants):
        good = [v for v in variants if v["graph"] == graph and (graph, v["recipe"]) in ran - bad]
        best = min(good, key=lambda v: v["size_bytes"], default=None)
        parts.append(f"{graph}: {best['recipe']}, {best['size_bytes']:,} bytes" if best else f"{graph}: none may ship")
    return f"Smallest variants that passed every gate. {'; '.join(parts)}."


def junit(parity: Mapping[str, Any]) -> bytes:
    """Parity results as a JUnit XML test suite."""
    rows = parity["results"]
    count = lambda status: str(sum(row["status"] == status for row in rows))  # noqa: E731
    suite = ElementTree.Element(
        "testsuite",
        name="pocketrec parity",
        tests=str(len(rows)),
        failures=count("fail"),
        errors=count("error"),
        skipped=count("skipped"),
    )
    for row in rows:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=".".join(
                filter(None, (row["runtime"], row["target"], row.get("delegate") == "none" and "no-xnnpack"))
            ),
            name=f"{row['graph']}-{row['recipe']}",
        )
        tag = {"fail": "failure", "error": "error", "skipped": "skipped"}.get(row["status"])
        if tag:
            said = ElementTree.SubElement(case, tag, message=row["reason"])
            if row.get("first_difference"):
                said.text = "\n".join(side_by_side(row["first_difference"]))
    return ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True) + b"\n"


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
    )
    environment.filters["num"] = number
    return environment.get_template(template).render(context)
