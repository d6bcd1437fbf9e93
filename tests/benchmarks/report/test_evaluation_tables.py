"""Tables of evaluation.json: marks, dashes, and who is ahead."""

from pocketrec.benchmarks.report.evaluation_tables import (
    BEST,
    lists_grid,
    models_grid,
    protocol_text,
    situations_grid,
)
from pocketrec.cli.render.evaluation import evaluation_notes
from pocketrec.core.records.evaluation import (
    ColdItems,
    Estimate,
    EvaluatedModel,
    Evaluation,
    ListQuality,
    Protocol,
    best_models,
)

from pocketrec.api.evaluation_html import evaluation_html


def lists(a, b, c):
    return ListQuality(*(Estimate(value, (value - 0.05, value + 0.05), 200) for value in (a, b, c)))


OURS = EvaluatedModel(
    model="pocket",
    is_baseline=False,
    fit_s=12.0,
    rmse=Estimate(0.9, None, 1),
    retrieval=lists(0.2, 0.7, 0.4),
    last_5=lists(0.1, 0.5, 0.2),
    by_history={"0-4": None, "5-19": lists(0.1, 0.6, 0.3)},
    coverage_at_10=0.5,
    novelty_at_10=Estimate(2.5, (2.4, 2.6), 200),
    popularity_lift_at_10=Estimate(-0.2, (-0.3, -0.1), 200),
    cold=ColdItems(3, 4, Estimate(0.25, (0.0, 0.5), 4), 0.06),
)
EASE = EvaluatedModel(
    model="ease",
    is_baseline=True,
    fit_s=1.0,
    retrieval=lists(0.25, 0.7, 0.3),
    difference=lists(0.05, 0.0, -0.1),
    by_history={"0-4": None, "5-19": lists(0.2, 0.5, 0.3)},
    coverage_at_10=0.25,
    popularity_lift_at_10=Estimate(0.1, (0.0, 0.2), 200),
)
BIAS = EvaluatedModel(model="bias", is_baseline=True, fit_s=0.1, skipped="no <ratings>")


def document(*models):
    return Evaluation(
        made_from_sha256="00",
        protocol=Protocol(
            split="random",
            seed=1,
            train_events=9,
            test_events=4,
            items=1682,
            held_out_users=900,
            users=200,
            users_seed=0,
            bootstrap_resamples=1000,
            bootstrap_seed=0,
        ),
        warnings=["few users"],
        models=list(models),
        best=best_models(list(models)),
    )


ALL = document(OURS, EASE, BIAS)


def texts(grid):
    return [[cell.text for cell in row] for row in grid.rows]


def test_the_best_of_each_figure_is_marked_ours_or_not_and_none_where_all_tie():
    assert texts(models_grid(ALL)) == [
        ["pocket", "0.9000", "0.2000 ±.050", "0.7000 ±.050", "0.4000* ±.050", "–", "12.0"],
        ["ease", "–", "0.2500* ±.050", "0.7000 ±.050", "0.3000 ±.050", "-0.1000 ±.050", "1.0"],
        ["bias", "–", "–", "–", "–", "–", "0.1"],
    ]
    assert all((cell.tone == BEST) == ("*" in cell.text) for row in models_grid(ALL).rows for cell in row)


def test_a_lift_near_zero_is_the_best_and_models_without_lists_are_left_out():
    assert texts(lists_grid(ALL)) == [
        ["pocket", "50%*", "2.50", "-0.20", "0.250", "0.060"],
        ["ease", "25%", "–", "+0.10*", "–", "–"],
    ]


def test_each_situation_says_which_baseline_is_ahead():
    rows = {row[0]: row[1:] for row in texts(situations_grid(ALL))}
    assert list(rows) == ["whole history", "last 5 items", "history of 5-19"]
    assert rows["whole history"][-1] == "R@10 ease 0.2500" and rows["last 5 items"][-1] == ""
    assert rows["history of 5-19"] == ["200", "0.1000 ±.050", "0.6000* ±.050", "0.3000 ±.050", "R@10 ease 0.2000"]


def test_a_model_alone_has_no_marks():
    alone = document(OURS)
    assert alone.best == {}
    for grid in (models_grid(alone), situations_grid(alone), lists_grid(alone)):
        assert not any("*" in cell.text or cell.tone for row in grid.rows for cell in row)
    assert "*" not in protocol_text(alone) and len(situations_grid(alone).columns) == 5


def test_a_sample_skipped_models_and_warnings_are_said():
    assert "200 users, a sample of 900" in protocol_text(ALL)
    assert evaluation_notes(ALL) == ["skipped: bias: no <ratings>", "warning: few users"]


def test_html_is_escaped_and_bold_where_best():
    html = evaluation_html(
        document(OURS, EvaluatedModel(model="<b>", is_baseline=True, fit_s=0.0, retrieval=lists(0.9, 0.9, 0.9)))
    )
    assert "<td>&lt;b&gt;</td>" in html and "<b>0.9000* ±.050</b>" in html and html.count("<table>") == 3
