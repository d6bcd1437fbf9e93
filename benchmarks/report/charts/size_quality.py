"""Size against quality: what each recipe saves, and what it costs on held-out truth next to its gate."""

from collections.abc import Sequence
from dataclasses import dataclass

from ....core.records.parity import ParityRow
from ....core.records.variants import Variant
from ...parity.judging.verdicts import where
from ..columns import Column
from ..presentation import four_digits, kilobytes, significant
from ..tables import metric_name
from ..vega import BAR, INK, LIMIT, Size, Spec, values
from .chart import Chart, Results


@dataclass(frozen=True)
class Loss:
    """A variant, and the cell in which it loses most.

    Attributes:
        metric: of quality, as people write it.
        reference: the SavedModel's value of it.
        loss: how much worse the variant is, with its 95% interval `low` to `high` and the most that its gate allows.
        where: runtime and processor of the cell.
    """

    graph: str
    recipe: str
    n_bytes: int
    metric: str
    reference: float | None
    loss: float
    low: float | None
    high: float | None
    gate: float | None
    where: str

    @property
    def interval(self) -> str:
        return "–" if self.low is None else f"{significant(self.low)} to {significant(self.high)}"

    @property
    def datum(self) -> Spec:
        named = ("graph", "recipe", "metric", "reference", "loss", "low", "high", "gate", "where")
        return {
            **{name: getattr(self, name) for name in named},
            "bytes": self.n_bytes,
            "kb": self.n_bytes / 1e3,
            "size": kilobytes(self.n_bytes),
            "said": f"{self.graph} {self.recipe}: loses {significant(self.loss)} {self.metric}",
        }


def _select(results: Results) -> list[Loss]:
    return [found for variant in results.variants if (found := _worst(variant, results.parity_rows))]


def _worst(variant: Variant, results: Sequence[ParityRow]) -> Loss | None:
    """Of the cells of a variant, the one that loses most."""
    cells = [row for row in results if (row.graph, row.recipe) == (variant.graph, variant.recipe)]
    ran = [(row.metrics.quality_loss, row) for row in cells if row.metrics.quality_loss is not None]
    if not ran:
        return None
    loss, row = max(ran, key=lambda pair: pair[0])
    low, high = row.metrics.quality_loss_ci95 or (None, None)
    return Loss(
        graph=variant.graph,
        recipe=variant.recipe,
        n_bytes=variant.size_bytes,
        metric=metric_name(row.metrics.quality_metric),
        reference=row.metrics.quality_reference,
        loss=loss,
        low=low,
        high=high,
        gate=row.limits.get("quality_loss"),
        where=where(row),
    )


def _spec(losses: Sequence[Loss], size: Size) -> Spec:
    graphs = dict.fromkeys(loss.graph for loss in losses)
    panels = [_panel(graph, [loss.datum for loss in losses if loss.graph == graph], size) for graph in graphs]
    return {"concat": panels, "columns": size.columns(2), "spacing": 34 if size.is_wide else 26}


def _panel(graph: str, data: Sequence[Spec], size: Size) -> Spec:
    data = sorted(data, key=lambda datum: datum["bytes"])
    y = {"field": "recipe", "type": "nominal", "sort": [datum["recipe"] for datum in data]}
    return {
        "title": graph,
        "data": values(data),
        "hconcat": [_sizes(data, y, size), _losses(data, y, size)],
        "spacing": 12,
        "resolve": {"scale": {"y": "shared"}},
    }


def _sizes(data: Sequence[Spec], y: Spec, size: Size) -> Spec:
    named = {**y, "axis": {"title": None, "minExtent": 82, "domain": False, "ticks": False}}
    x = {
        "field": "kb",
        "type": "quantitative",
        "axis": {"title": "kB", "tickCount": 3 if size.is_wide else 2, "grid": False},
        "scale": {"domainMax": max(datum["kb"] for datum in data) * 1.45, "nice": False},
    }
    bars = {"mark": {"type": "bar", "height": 11, "color": BAR}, "encoding": {"description": {"field": "said"}}}
    labels = {"mark": {"type": "text", "align": "left", "dx": 3}, "encoding": {"text": {"field": "size"}}}
    width = 150 if size.is_wide else 82
    return {"width": width, "height": {"step": 20}, "layer": [bars, labels], "encoding": {"y": named, "x": x}}


def _losses(data: Sequence[Spec], y: Spec, size: Size) -> Spec:
    title = f"{data[0]['metric']} lost, of {four_digits(data[0]['reference'])}"
    x = {"type": "quantitative", "axis": {"title": title, "tickCount": 4 if size.is_wide else 2}}
    interval = {"x": {"field": "low", **x}, "x2": {"field": "high"}}
    loss = {"x": {"field": "loss", **x}, "description": {"field": "said"}}
    layers = [
        {"mark": {"type": "rule", "color": INK}, "encoding": interval},
        {"mark": {"type": "point", "filled": True, "color": INK, "size": 45, "opacity": 1}, "encoding": loss},
        {
            "mark": {"type": "tick", "color": LIMIT, "thickness": 2, "height": 14, "opacity": 1},
            "encoding": {"x": {"field": "gate", **x}},
        },
    ]
    width = 220 if size.is_wide else 140
    return {"width": width, "height": {"step": 20}, "layer": layers, "encoding": {"y": {**y, "axis": None}}}


def _caption(losses: Sequence[Loss]) -> str:
    parts = []
    for graph in dict.fromkeys(loss.graph for loss in losses):
        mine = [loss for loss in losses if loss.graph == graph]
        least, most = (f(mine, key=lambda loss: loss.n_bytes) for f in (min, max))
        times = significant(most.n_bytes / least.n_bytes, 2)
        lost = f"loses {significant(least.loss)} {least.metric}"
        parts.append(f"{graph} {least.recipe} is {times} times smaller than {most.recipe} and {lost}")
    return "; ".join(parts) + ". Dot and line: loss with its 95% interval, below zero a gain; red: the gate."


SIZE_QUALITY = Chart(
    name="quality",
    title="Size against quality",
    short_title="Size",
    command="pocketrec parity RUN",
    source="variants.json: size_bytes; parity.json: results[].metrics.quality_loss, quality_loss_ci95; tolerance.quality_loss",
    select=_select,
    columns=(
        Column("graph", "graph", is_number=False),
        Column("recipe", "recipe", is_number=False),
        Column("size", "n_bytes", kilobytes),
        Column("metric", "metric", is_number=False),
        Column("SavedModel", "reference", four_digits),
        Column("loss", "loss", significant),
        Column("95% interval", "interval"),
        Column("gate", "gate", significant),
        Column("where it is worst", "where", is_number=False),
    ),
    spec=_spec,
    caption=_caption,
)
