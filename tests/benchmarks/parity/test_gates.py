import pytest
from pocketrec.benchmarks.parity.gates import Gate, read_gates
from pocketrec.convert.graphs import GRAPHS
from pocketrec.convert.quantize.recipes import RECIPES
from pocketrec.core.errors import InputError


def test_every_graph_and_recipe_has_a_gate_with_a_reason():
    gates = read_gates()
    for graph in GRAPHS:
        for recipe in RECIPES:
            assert len(gates[graph, recipe].reason) > 20 and gates[graph, recipe].limits


@pytest.mark.parametrize(
    ("limit", "good", "bad"),
    [
        ("max_abs_diff", 0.1, 0.3),
        ("max_diff_of_range", 0.1, 0.3),
        ("quality_loss", 0.2, 0.21),
        ("top_k_overlap", 0.9, 0.1),
        ("top1_agreement", 0.2, 0.19),
        ("kendall_tau", 1.0, -1.0),
    ],
)
def test_each_limit_can_trip(limit, good, bad):
    gate = Gate({limit: 0.2}, "made up")
    assert gate.misses({limit: good}) == []
    assert limit in gate.misses({limit: bad})[0]
    assert "could not be computed" in gate.misses({limit: None})[0]
    assert gate.misses({limit: float("nan")}), "NaN must never pass"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[ranker.float32]\nmax_abs_dif = 1\nreason = 'x'", "did you mean max_abs_diff?"),
        ("[ranker.float32]\nmax_abs_diff = 1", "a table with a reason"),
        ("[ranker.float32]\nmax_abs_diff = 'big'\nreason = 'x'", "a number for max_abs_diff"),
        ("[ranker", "a TOML file"),
        ("ranker = 3", "tables such as"),
        ("[rankr.float32]\nmax_abs_diff = 1\nreason = 'x'", "did you mean ranker?"),
        ("[ranker.float23]\nmax_abs_diff = 1\nreason = 'x'", "did you mean float32?"),
    ],
)
def test_faulty_gates_are_one_line(tmp_path, text, said):
    (tmp_path / "gates.toml").write_text(text)
    with pytest.raises(InputError) as error:
        read_gates(tmp_path / "gates.toml")
    assert said in str(error.value)
