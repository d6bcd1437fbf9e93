"""Libraries of Android's that a test makes, for a phone's processor, and the smallest model."""

import subprocess
from pathlib import Path

import numpy as np
from pocketrec.runtimes.adb.pack import COMPILER
from pocketrec.runtimes.adb.staging import PhoneJob

# An entry by which an AAR's library is known.
ENTRY = "void TfLiteInterpreterCreate(void) {}\n"
HANGS = ENTRY + "__attribute__((constructor)) static void hang(void) { for (;;) ; }"
CRASHES = ENTRY + "__attribute__((constructor)) static void crash(void) { *(volatile int *)8 = 1; }"
LACKS = ENTRY + "extern void nowhere(void); __attribute__((constructor)) static void call(void) { nowhere(); }"


def library(path: Path, source: str) -> Path:
    """A shared library for a phone."""
    path.with_suffix(".c").write_text(source)
    options = ["-shared", "-fPIC", "-nostdlib", "-ffreestanding", "-Wl,-z,now"]
    subprocess.run([COMPILER, *options, "-o", path, path.with_suffix(".c")], check=True)
    return path


def job(folder: Path, source: str, **how: object) -> PhoneJob:
    """A job that a library ends before any model is loaded."""
    folder.mkdir(exist_ok=True)
    (folder / "x.tflite").write_bytes(b"no model")
    fields = {"inputs": {"x": np.zeros((1, 1), np.float32)}, "threads": 1, "timeout_s": 60.0, **how}
    return PhoneJob(folder / "x.tflite", library(folder / "x.so", source), **fields)  # type: ignore[arg-type]
