"""What `inspect` found, in the terminal."""

from dataclasses import dataclass
from typing import Literal

from ...benchmarks.report.columns import Column
from ...benchmarks.report.presentation import count, counted
from ...core.records.inspection import Delegation, Inspection, OpUse
from ...core.records.variants import Port
from ...runtimes.runtimes import runtime_of
from .tables import Fitted, table

PORT_COLUMNS = (
    Column("signature", "signature", is_number=False),
    Column("", "kind", is_number=False),
    Column("name", "port.name", is_number=False),
    Column("dtype", "port.dtype", is_number=False),
    Column("shape", "port.shape", is_number=False),
)
OP_COLUMNS = (
    Column("op", "op.name", is_number=False),
    Column("version", "op.version", count),
    Column("calls", "op.first_subgraph", count),
    Column("delegated", "op.delegated", count),
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
GPU_COLUMNS = (Column("not taken", "operator", is_number=False), Column("why", "reason", is_number=False))
TRAP_COLUMNS = (Column("trap", "trap", is_number=False), Column("where", "where", is_number=False))


@dataclass(frozen=True)
class _PortRow:
    """A port under its signature."""

    signature: str | None
    kind: Literal["input", "output"]
    port: Port


@dataclass(frozen=True)
class _OpRow:
    """An operator with its calls in branches and initialisers, where there are any."""

    op: OpUse

    @property
    def elsewhere(self) -> int | None:
        return self.op.count - self.op.first_subgraph or None


def inspection_tables(found: Inspection) -> list[Fitted | str]:
    """Signatures, operators, constant tensors, what the GPU accelerator takes where it was asked, and traps where there are any."""
    title = f"{found.file}: {found.size_bytes:,} bytes, minimum runtime {found.min_runtime or 'unknown'}"
    tables: list[Fitted | str] = [
        table(PORT_COLUMNS, _ports(found), title),
        table(OP_COLUMNS, [_OpRow(op) for op in found.ops], _delegation(found.xnnpack)),
        table(TABLE_COLUMNS, found.tables, "Constant tensors"),
    ]
    if plan := found.gpu:
        said = f"GPU accelerator of {runtime_of(plan.runtime).label} {plan.summary}"
        tables.append(table(GPU_COLUMNS, plan.refusals, said) if plan.refusals else said)
    return [*tables, table(TRAP_COLUMNS, found.traps, "Traps")] if found.traps else tables


def _ports(found: Inspection) -> list[_PortRow]:
    """Ports of the signatures; of the graph where a file has none."""
    sides = [(signature.key, signature.inputs, signature.outputs) for signature in found.signatures]
    rows: list[_PortRow] = []
    for key, inputs, outputs in sides or [(None, found.inputs, found.outputs)]:
        rows += [_PortRow(key, "input", port) for port in inputs]
        rows += [_PortRow(key, "output", port) for port in outputs]
    return rows


def _delegation(plan: Delegation) -> str:
    if plan.n_delegated is None or plan.partitions is None:
        return f"Operators; {plan.reason}"
    taken = f"{plan.n_delegated} of {plan.n_ops} in {counted(plan.partitions, 'part')}"
    return f"Operators; XNNPACK of {plan.runtime} takes {taken}"
