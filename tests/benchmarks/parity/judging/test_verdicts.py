"""What may ship, by made-up rows of parity.json."""

from dataclasses import replace

import pytest
from pocketrec.benchmarks.parity.judging.verdicts import allowance_used, choices, verdict, where, worst_measure
from pocketrec.core.records.agreement import Agreement
from pocketrec.core.records.parity import ParityRow

from tests.benchmarks.report.reported import variant


def row(recipe, status="pass", *, reason="", diff=0.1, runtime="litert-2.3.0", delegate="xnnpack"):
    return ParityRow(
        graph="ranker",
        recipe=recipe,
        runtime=runtime,
        target="host",
        delegate=delegate,
        status=status,
        reason=reason,
        n_queries=9,
        metrics=Agreement(max_abs_diff=diff, kendall_tau=0.95, flips=2),
        tolerance={"max_abs_diff": 0.2, "kendall_tau": 0.9, "quality_loss": 0.1, "reason": "a test"},
    )


VARIANTS = [
    variant("ranker", recipe, size_bytes)
    for recipe, size_bytes in (("float32", 4000), ("dynamic_int8", 1000), ("int4_rows", 500))
]


def test_what_was_used_of_each_limit_leaves_out_what_has_no_value():
    assert allowance_used(row("float32")) == {"max_abs_diff": pytest.approx(0.5), "kendall_tau": pytest.approx(0.5)}
    assert worst_measure(row("float32", diff=0.19)) == ("max_abs_diff", pytest.approx(0.95))
    assert worst_measure(replace(row("float32"), metrics=Agreement())) is None


def test_the_smallest_variant_that_passed_wherever_it_ran_is_chosen():
    results = [
        row("float32"),
        row("dynamic_int8", diff=0.19),
        row("dynamic_int8", "skipped", runtime="tf-2.18.1"),
        row("int4_rows"),
        row("int4_rows", "fail", reason="max_abs_diff 0.3 is above 0.2", delegate="none"),
        row("int4_rows", "error", reason="signal 11", runtime="tf-2.18.1"),
    ]
    (choice,) = choices(VARIANTS, results)
    assert choice.best == VARIANTS[1] and (choice.passed, choice.asked) == (1, 2)
    assert choice.closest is not None and choice.closest[0] == "max_abs_diff"
    (refused,) = choice.refused
    assert refused.recipe == "int4_rows" and "no XNNPACK" in refused.reason and "1 more" in refused.reason
    assert "dynamic_int8, 1,000 bytes" in verdict(VARIANTS, results)


def test_without_a_variant_that_passed_none_may_ship():
    (choice,) = choices(VARIANTS, [row("float32", "skipped")])
    assert choice.best is None and len(choice.refused) == 3
    assert "ranker: none may ship" in verdict(VARIANTS, [])


def test_a_place_names_what_was_kept_out():
    assert where(row("float32", delegate="none")) == "litert-2.3.0, host, no XNNPACK"
