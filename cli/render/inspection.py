"""What `inspect` found, in the terminal."""

from collections.abc import Mapping, Sequence

from ...benchmarks.report.columns import Column, field_of
from ...benchmarks.report.presentation import count, counted
from .tables import Fitted, table

Found = Mapping[str, object]

PORT_COLUMNS = (
    Column("signature", "signature", is_number=False),
    Column("", "kind", is_number=False),
    Column("name", "name", is_number=False),
    Column("dtype", "dtype", is_number=False),
    Column("shape", "shape", is_number=False),
)
OP_COLUMNS = (
    Column("op", "name", is_number=False),
    Column("version", "version", count),
    Column("calls", "count", count),
    Column("delegated", "delegated", count),
)
TABLE_COLUMNS = (
    Column("table", "name", is_number=False),
    Column("shape", "shape", is_number=False),
    Column("dtype", "dtype", is_number=False),
    Column("bytes", "bytes", count),
    Column("share", "share", lambda value: f"{value:.1%}", drop=1),
    Column("scales", "scales", count, drop=2),
)
TRAP_COLUMNS = (Column("trap", "trap", is_number=False), Column("where", "where", is_number=False))


def inspection_tables(found: Found) -> list[Fitted]:
    """Signatures, operators, constant tensors, and traps where there are any."""
    least = found["min_runtime"] or "unknown"
    title = f"{found['file']}: {found['size_bytes']:,} bytes, minimum runtime {least}"
    tables = [
        table(PORT_COLUMNS, _ports(found), title),
        table(OP_COLUMNS, field_of(found, "ops"), _delegation(field_of(found, "xnnpack"))),
        table(TABLE_COLUMNS, field_of(found, "tables"), "Constant tensors"),
    ]
    traps: Sequence[object] = field_of(found, "traps")
    return [*tables, table(TRAP_COLUMNS, traps, "Traps")] if traps else tables


def _ports(found: Found) -> list[dict[str, object]]:
    return [
        {**port, "signature": signature["key"], "kind": kind[:-1]}
        for signature in field_of(found, "signatures")
        for kind in ("inputs", "outputs")
        for port in signature[kind]
    ]


def _delegation(plan: Found) -> str:
    if plan["n_delegated"] is None:
        return f"Operators; {plan['reason']}"
    taken = f"{plan['n_delegated']} of {plan['n_ops']} in {counted(field_of(plan, 'partitions'), 'part')}"
    return f"Operators; XNNPACK of {plan['runtime']} takes {taken}"
