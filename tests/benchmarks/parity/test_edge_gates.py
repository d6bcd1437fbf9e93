"""Edge queries, side-by-side lists, and what terminal and JUnit say of a failure."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from pocketrec.benchmarks.parity.edge_gates import judge_edges
from pocketrec.benchmarks.parity.first_difference import side_by_side
from pocketrec.benchmarks.parity.gates import Gate
from pocketrec.benchmarks.parity.outputs import Lists, Ratings, lists_of
from pocketrec.benchmarks.parity.stage import check_parity
from pocketrec.benchmarks.report.terminal import parity_reasons
from pocketrec.convert.stage import convert_run
from pocketrec.core.queries import model_inputs as query_inputs
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.run_dir import Run

EDGES = {
    "nobody known", "one unknown candidate", "one film", "only unknown films", "unknown films between", "a film repeated",
    "longer than the window", "everything seen",
}  # fmt: skip


def test_every_variant_was_asked_every_edge(run):
    rows = json.loads((run / "reports" / "parity.json").read_text())["results"]
    for row in rows:
        assert set(row["edges"]) == EDGES and not any(found["reason"] for found in row["edges"].values())
        assert row["first_difference"] is None


def test_edges_are_what_their_names_say(run):
    data = HeldOut(Run(run))
    edges, n, window = data.edges, len(data.items), data.catalogue.window
    assert len(edges["nobody known"].seen) == 0 and edges["nobody known"].user == -1
    assert edges["one unknown candidate"].items.tolist() == [n] and len(edges["one film"].seen) == 1
    assert set(edges["only unknown films"].seen.tolist()) == {n}
    assert len(set(edges["a film repeated"].seen.tolist())) == 1 < len(edges["a film repeated"].seen)
    assert len(edges["longer than the window"].seen) > window
    assert np.array_equal(np.sort(edges["everything seen"].seen), np.arange(n))


def test_users_who_are_in_no_vocabulary_are_the_edge_of_models_that_know_users(tutorial_run):
    assert set(HeldOut(Run(tutorial_run)).edges) == {"nobody known", "one unknown candidate"}
    rows = json.loads((tutorial_run / "reports" / "parity.json").read_text())["results"]
    assert {row["status"] for row in rows} == {"pass"} and {len(row["edges"]) for row in rows} == {2}


def test_unknown_films_mapped_to_a_real_row_are_caught_by_the_edges_alone(own_run, monkeypatch):
    """Real users have no unknown films, so nothing else sees it."""
    convert_run(Run(own_run), graphs=["retriever"], recipes=["float32"])

    def history(query, names):
        known = np.where(query.seen < len(names.items), query.seen, 0)
        return query_inputs._window(known, len(names.items), names, np.int32)

    monkeypatch.setitem(query_inputs.FEEDS, "history", history)
    for row in check_parity(Run(own_run), runtimes=["litert-2.3.0"])["results"]:
        assert row["status"] == "fail"
        failing = {name for name, found in row["edges"].items() if found["reason"]}
        assert failing == {"only unknown films", "unknown films between"}
        assert "edge 'only unknown films' differs by" in row["reason"] and "max_abs_diff" not in row["reason"]


def test_k_may_be_the_whole_catalogue(own_run):
    held = Run(own_run)
    n = len(HeldOut(held).items)
    convert_run(held, graphs=["retriever", "recommender"], recipes=["float32", "dynamic_int8"], k=n)
    rows = check_parity(held, runtimes=["tflite-runtime-2.14.0", "litert-2.3.0"])["results"]
    assert {row["status"] for row in rows} == {"pass"}, [row["reason"] for row in rows]
    with np.load(held.reports / "raw" / "retriever-dynamic_int8@litert-2.3.0.npz") as raw:
        assert raw["ids"].shape[1] == n and np.array_equal(np.sort(raw["ids"][0]), np.arange(n))


GATE = Gate({"max_abs_diff": 0.1}, "a test")


def lists(ids, scores):
    expected = np.array([[5.0, 4.0, 3.0, -np.inf]], np.float32)
    return Lists(np.array([ids]), np.array([scores], np.float32), np.array([[0, 1]]), expected)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (lists([0, 1], [5.0, 4.05]), ""),
        (lists([0, 1], [5.0, 4.2]), "differs by 0.2, above 0.1"),
        (lists([0, 2], [5.0, 3.0]), "returns an item worth 1 less than the last it should return"),
        (lists([3, 0], [9.0, 5.0]), "returns 1 items that were seen"),
        (lists([0, 1], [5.0, -60000.0]), "returns an item worth inf less"),
    ],
)
def test_each_way_an_edge_can_fail(answers, reason):
    found = judge_edges(["edge"], answers, GATE, 5.0)["edge"]["reason"]
    assert found.startswith(reason) if not reason else reason in found


def test_everything_seen_returns_nothing_and_passes():
    nothing = np.full((1, 3), -np.inf, np.float32)
    masked = Lists(np.array([[0, 1]]), np.full((1, 2), -60000, np.float32), np.array([[0, 1]]), nothing)
    assert judge_edges(["edge"], masked, GATE, 5.0)["edge"] == {"max_abs_diff": 0.0, "reason": ""}
    leaking = Lists(np.array([[0, 1]]), np.full((1, 2), 3, np.float32), np.array([[0, 1]]), nothing)
    assert "returns 2 items" in judge_edges(["edge"], leaking, GATE, 5.0)["edge"]["reason"]


def test_the_first_user_who_differs_is_the_one_whose_first_ten_do():
    best = np.tile(np.arange(12), (3, 1))
    ids = best.copy()
    ids[1, [10, 11]], ids[2, [0, 1]] = [11, 10], [1, 0]
    answers = Lists(ids, np.ones((3, 12)), best, np.ones((3, 12)))
    assert answers.differing(None) == 2
    ratings = Ratings(np.array([1.0, 2, 1, 2, 3]), np.array([1.2, 2, 2.5, 1, 3]), np.array([0, 2, 5]), np.arange(5))
    assert ratings.differing(0.1) == 1 and ratings.differing(9.0) == 1
    assert ratings.sides(1)[0].tolist() == [4, 3, 2] and ratings.sides(1)[2].tolist() == [4, 2, 3]


def test_lists_of_a_stranger_are_compared_by_id():
    """Ids 70, 80, 90 against 70, 90, 50: 50 was not returned by the reference, so it is worth no more than its last."""
    answers = lists_of(
        [np.array([70, 80, 90])], [np.array([3.0, 2, 1])], [np.array([70, 90, 50])], [np.array([3.0, 1.0, 1.5])]
    )
    metrics = answers.metrics()
    assert metrics["top_k_overlap"] == pytest.approx(2 / 3) and metrics["max_abs_diff"] == 0.5
    assert answers.sides(0)[0].tolist() == [70, 80, 90] and answers.sides(0)[2].tolist() == [70, 90, 50]


def test_a_missed_gate_shows_both_lists_in_json_terminal_and_junit(own_run, pocketrec, tmp_path):
    convert_run(Run(own_run), graphs=["retriever"], recipes=["int4_rows"])
    gates = "[retriever.int4_rows]\ntop_k_overlap = 0.999\nmax_diff_of_range = 0.1\nreason = 'a test'\n"
    (tmp_path / "gates.toml").write_text(gates)
    done = pocketrec("parity", own_run, "--runtime", "litert-2.3.0", "--gates", tmp_path / "gates.toml")
    assert done.code == 1 and "✗" in done.out and "top_k_overlap 0.96" in done.out
    assert "0 of 2 passed: 1 variant, 1 runtime, 1 processor, 941 queries and 8 edge cases each" in done.out
    document = json.loads((own_run / "reports" / "parity.json").read_text())
    shown = document["results"][0]["first_difference"]
    assert len(shown["reference"]) == len(shown["variant"]) == 10 and shown["user"] in HeldOut(Run(own_run)).users
    assert [row["title"] for row in shown["reference"]] != [row["title"] for row in shown["variant"]]
    assert all(row["title"][-1] == ")" for row in shown["reference"])
    lines = side_by_side(shown)
    assert lines[0] == f"first to differ: user {shown['user']}" and any("*" in line for line in lines[2:])
    assert all(line.strip() in done.out for line in lines)
    assert pocketrec("report", own_run).code == 0
    failures = ElementTree.parse(own_run / "reports" / "junit.xml").findall(".//failure")
    assert len(failures) == 2 and failures[0].text == "\n".join(lines)
    assert len([line for line in parity_reasons(document) if line.startswith("fail")]) == 1  # both delegates in one


def test_only_so_many_users_are_asked_that_their_scores_fit(run, monkeypatch):
    from pocketrec.core.queries import held_out as queries

    monkeypatch.setattr(queries, "MOST_ASKED_SCORES", 1682 * 10)
    data = HeldOut(Run(run))
    users = [query.user for query in data.queries]
    assert len(users) == 10 and users == sorted(set(users)) and users[-1] > 900
