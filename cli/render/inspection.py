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
    Column("calls", "first_subgraph", count),
    Column("delegated", "delegated", count),
    Column("elsewhere", "elsewhere", count, drop=1),
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
        table(OP_COLUMNS, _ops(found), _delegation(field_of(found, "xnnpack"))),
        table(TABLE_COLUMNS, field_of(found, "tables"), "Constant tensors"),
    ]
    traps: Sequence[object] = field_of(found, "traps")
    return [*tables, table(TRAP_COLUMNS, traps, "Traps")] if traps else tables


def _ops(found: Found) -> list[dict[str, object]]:
    """Operators with their calls in branches and initialisers, where there are any."""
    return [{**op, "elsewhere": op["count"] - op["first_subgraph"] or None} for op in field_of(found, "ops")]


def _ports(found: Found) -> list[dict[str, object]]:
    """Ports of the signatures; of the graph where a file has none."""
    return [
        {**port, "signature": signature["key"], "kind": kind[:-1]}
        for signature in field_of(found, "signatures") or [{"key": None, **found}]
        for kind in ("inputs", "outputs")
        for port in signature[kind]
    ]


def _delegation(plan: Found) -> str:
    if plan["n_delegated"] is None:
        return f"Operators; {plan['reason']}"
    taken = f"{plan['n_delegated']} of {plan['n_ops']} in {counted(field_of(plan, 'partitions'), 'part')}"
    return f"Operators; XNNPACK of {plan['runtime']} takes {taken}"
