"""The release that introduced each version of an operator."""

from pocketrec.runtimes.model_file.op_versions import minimum_runtime, since


def test_the_minimum_runtime_is_that_of_the_newest_version():
    assert (
        since("FULLY_CONNECTED", 12) == "2.17.0"
        and since("FULLY_CONNECTED", 99) is None
        and since("NO_SUCH_OP", 1) is None
    )
    assert minimum_runtime([("GATHER", 1), ("FULLY_CONNECTED", 9), ("ADD", 1)]) == "2.3.0"
    assert minimum_runtime([("ADD", 1), ("CAST", 6)]) == "2.15.0" and minimum_runtime([("NO_SUCH_OP", 1)]) is None
