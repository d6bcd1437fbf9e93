import pytest
from pocketrec.benchmarks.parity.judging.gates import FOREIGN, Gate, read_gates
from pocketrec.convert.graphs import GRAPHS
from pocketrec.convert.quantize.recipes import RECIPES
from pocketrec.core.records.agreement import METRICS, Agreement

from tests.conftest import raises


def gates_of(tmp_path, text):
    (tmp_path / "gates.toml").write_text(text)
    return read_gates(tmp_path / "gates.toml")


@pytest.mark.parametrize("is_implicit", [False, True])
def test_every_graph_and_recipe_has_a_gate_with_a_reason(is_implicit):
    for graph in GRAPHS:
        for recipe in RECIPES:
            gate = read_gates().find(graph, recipe, is_implicit=is_implicit)
            assert gate and len(gate.reason) > 20 and gate.limits
            assert gate.to_json() == {**gate.limits, "reason": gate.reason}


@pytest.mark.parametrize("limit", [name for name, metric in METRICS.items() if metric.is_gated])
def test_each_limit_can_trip(limit):
    good, bad = (0.1, 0.3) if METRICS[limit].better == "lower" else (0.3, 0.1)
    gate = Gate({limit: 0.2}, "made up")
    assert gate.misses(Agreement(**{limit: good})) == []
    assert limit in gate.misses(Agreement(**{limit: bad}))[0]
    assert "could not be computed" in gate.misses(Agreement())[0]
    assert gate.misses(Agreement(**{limit: float("nan")})), "NaN must never pass"


def test_a_recipe_inherits_from_the_default_of_its_graph(tmp_path):
    gates = gates_of(
        tmp_path,
        "[ranker.default]\nmax_abs_diff = 0.2\nkendall_tau = 0.9\nreason = 'all'\n"
        "[ranker.float32]\nmax_abs_diff = 0.1\nreason = 'one'\n",
    )
    assert gates.find("ranker", "float32") == Gate({"max_abs_diff": 0.1, "kendall_tau": 0.9}, "one")
    assert gates.find("ranker", "int4_rows") == Gate({"max_abs_diff": 0.2, "kendall_tau": 0.9}, "all")
    assert gates.find("retriever", "float32") is None and gates.find(*FOREIGN) is None


def test_runs_without_ratings_have_gates_of_their_own(tmp_path):
    gates = gates_of(
        tmp_path,
        "[ranker.default]\nmax_abs_diff = 0.2\nreason = 'rated'\n"
        "[ranker.implicit.default]\nkendall_tau = 0.9\nreason = 'implicit'\n"
        "[retriever.float32]\ntop_k_overlap = 0.9\nreason = 'both'\n",
    )
    assert gates.find("ranker", "float32", is_implicit=True) == Gate({"kendall_tau": 0.9}, "implicit")
    assert gates.find("ranker", "float32") == Gate({"max_abs_diff": 0.2}, "rated")
    assert gates.find("retriever", "float32", is_implicit=True) == Gate({"top_k_overlap": 0.9}, "both")


def test_a_graph_may_take_the_tables_of_another(tmp_path):
    text = "[ranker_strings]\nsame_as = 'ranker'\n[ranker.default]\nmax_abs_diff = 0.2\nreason = 'x'\n"
    gates = gates_of(tmp_path, text + "[ranker_strings.float32]\nmax_abs_diff = 0.1\nreason = 'own'\n")
    assert gates.find("ranker_strings", "float32") == Gate({"max_abs_diff": 0.1}, "own")
    assert gates.find("ranker_strings", "int4_rows") == Gate({"max_abs_diff": 0.2}, "x")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[ranker.float32]\nmax_abs_dif = 1\nreason = 'x'", "did you mean max_abs_diff?"),
        ("[ranker.float32]\nnorm_drift = 1\nreason = 'x'", "'norm_drift'"),
        ("[ranker.float32]\nmax_abs_diff = 1", "[ranker.float32]"),
        ("[ranker.default]\nmax_abs_diff = 1\nreason = ' '", "[ranker.default]"),
        ("[ranker.float32]\nmax_abs_diff = 'big'\nreason = 'x'", "'big'"),
        ("[ranker.float32]\nmax_abs_diff = true\nreason = 'x'", "True"),
        ("[ranker.float32]\nmax_abs_diff = nan\nreason = 'x'", "nan"),
        ("[ranker]\nfloat32 = 3", "[ranker.float32]"),
        ("[ranker]\nimplicit = 3", "[ranker]"),
        ("[ranker", "a TOML file"),
        ("ranker = 3", "ranker = 3"),
        ("[rankr.float32]\nmax_abs_diff = 1\nreason = 'x'", "did you mean ranker?"),
        ("[ranker.float23]\nmax_abs_diff = 1\nreason = 'x'", "did you mean float32?"),
        ("[ranker.implicit.float23]\nmax_abs_diff = 1\nreason = 'x'", "did you mean float32?"),
        ("[ranker_strings]\nsame_as = 'ranker'", "'ranker'"),
        ("[ranker_strings]\nsame_as = 3", "same_as"),
    ],
)
def test_faulty_gates_are_one_line(tmp_path, text, named):
    with raises("GATES_INVALID") as caught:
        gates_of(tmp_path, text)
    assert named in str(caught.value)


def test_a_file_of_gates_that_does_not_exist_is_one_line(tmp_path):
    with raises("GATES_INVALID"):
        read_gates(tmp_path / "none.toml")
