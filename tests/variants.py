"""Changes to the variants.json of a run that a test owns."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pocketrec.core.documents import write_json
from pocketrec.core.records.variants import Variant
from pocketrec.core.run_dir import Run


def change_variants(run: Run, how: Callable[[list[Variant]], Sequence[Variant]]) -> None:
    """Write variants.json anew with other rows."""
    record = run.variants_record
    write_json(run.converted / "variants.json", replace(record, variants=list(how(record.variants))).to_json())


def keep_variants(run: Run, wanted: Callable[[Variant], bool]) -> None:
    """Leave only some variants; the files of the others stay."""
    change_variants(run, lambda known: [variant for variant in known if wanted(variant)])
