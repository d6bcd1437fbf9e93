"""What LiteRT's libraries write to stderr, as version 2.3.0 wrote it here, and what is read out of it."""

from pocketrec.core.records.parity import Acceleration
from pocketrec.runtimes.native_logs import acceleration, failure

PROGRESS = """INFO: [delegate_webgpu.cc:342] Create WebGPU environment (use_low_power=0, enable_host_mapped_pointer=1)
WARNING: Logging before InitGoogle() is written to STDERR
I0000 00:00:1796043587.951543   27952 delegate_webgpu.cc:751] # of threads to upload weights = 0
"""
LEFT = """ERROR: Following operations are not supported by GPU delegate:
CAST: Expected 1 runtime input tensor(s), but node has 0 runtime input(s).
DEQUANTIZE: 
FULLY_CONNECTED: Tensor type(INT16) is not supported. 70
FULLY_CONNECTED: Tensor type(INT16) is not supported. 73
40 operations will run on the GPU, and the remaining 4 operations will run on the CPU.
W0000 00:00:1796043587.954083   27952 gpu_model_builder.cc:3901] Shape mismatch in UpdateOutputTensors
E0000 00:00:1796043587.955641   27952 gpu_model_builder.cc:4114] TopK requires src tensor C dimension to be divisible by 4.
"""
ABORT = """F0000 00:00:1796043593.576949   27968 object_reader.cc:82] Check failed: (tensor->type == kTfLiteFloat32)
*** Check failure stack trace: ***
    @     0x7fd0e64b9bfc  tflite::Subgraph::AddNodeWithParameters()
"""
REFUSED = """E0000 00:00:1796044294.716987    3089 delegate_webgpu.cc:478] Failed to create: INVALID_ARGUMENT: Shape mismatch
=== Source Location Trace: ===
third_party/ml_drift/common/gpu_model_util.cc:247
ERROR: Failed to initialize kernel.
ERROR: Restored original execution plan after delegate application failure.
CompiledModel did not compile the file: Failed to modify graph with delegate
"""


def test_what_was_left_is_told_in_the_accelerators_words_each_once():
    found = acceleration(PROGRESS + LEFT, is_whole=False)
    assert (found.operators, found.left) == (40, 4)
    assert found.reasons == [
        "CAST: Expected 1 runtime input tensor(s), but node has 0 runtime input(s).",
        "DEQUANTIZE: no reason given",
        "FULLY_CONNECTED: Tensor type(INT16) is not supported.",
        "TopK requires src tensor C dimension to be divisible by 4.",
    ]
    assert found.summary.startswith("4 of 44 operators left on the CPU: CAST: Expected 1")


def test_a_graph_taken_whole_and_one_of_which_nothing_is_said_differ():
    assert acceleration(PROGRESS, is_whole=True) == Acceleration(None, 0)
    assert acceleration(PROGRESS, is_whole=True).summary == "all operators on the accelerator"
    assert acceleration(PROGRESS, is_whole=False) == Acceleration(None, None)
    assert acceleration(PROGRESS, is_whole=False).summary == ""


def test_an_abort_tells_the_check_that_failed_and_not_the_stack():
    said = failure(-6, PROGRESS + LEFT + ABORT)
    assert said.startswith("signal 6: ") and said.endswith("Check failed: (tensor->type == kTfLiteFloat32)")
    assert "0x7fd0" not in said and "operations will run" not in said


def test_a_refusal_tells_the_accelerators_first_complaint_that_ended_it():
    said = failure(1, PROGRESS + LEFT + REFUSED)
    assert said.startswith(
        "exit status 1: delegate_webgpu.cc:478] Failed to create: INVALID_ARGUMENT: Shape mismatch | "
    )
    assert said.endswith(" | CompiledModel did not compile the file: Failed to modify graph with delegate")


def test_other_programs_are_told_by_their_last_two_lines_and_a_long_line_by_its_beginning():
    assert failure(1, "one\n\n two \nthree\n") == "exit status 1: two | three"
    assert failure(-9, "") == "signal 9"
    assert failure(1, f"before\nbegins {'x' * 900}") == f"exit status 1: begins {'x' * 393}"
    cuda = "E0000 00:00:1796043551.39   27717 cuda_dnn.cc:8310] Unable to register\n"
    assert failure(1, f"{cuda}a\nb\n") == "exit status 1: a | b"
