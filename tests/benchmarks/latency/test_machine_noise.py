from pocketrec.benchmarks.latency.machine_noise import describe_conditions
from pocketrec.cli.render.latency import latency_reasons
from pocketrec.core.records.latency import LatencyReport, LatencyRow


def row(spread, n_processes):
    return LatencyRow(subject="tflite", runtime="r", spread=spread, n_processes=n_processes)


def reasons(conditions):
    return latency_reasons(LatencyReport(results=[], conditions=conditions))


def test_a_quiet_machine_is_not_mentioned():
    quiet = describe_conditions([0.0, 0.0, 0.0], [row(0.02, 5)])
    assert not quiet.noisy and not quiet.warnings and reasons(quiet) == []


def test_a_noisy_machine_is_said():
    loud = describe_conditions([9999.0, 0.0, 0.0], [row(0.4, 5), row(9.0, 1)])
    assert loud.noisy and loud.typical_spread == 0.4, "one process has no spread"
    (line,) = reasons(loud)
    assert "40%" in line and "9999 processes" in line
