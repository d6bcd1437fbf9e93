"""CompiledModel as an app uses it that calls larger and larger inputs: nothing is reserved. Runs by path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "runtimes" / "workers"))
import compiled_model_worker  # pyright: ignore[reportMissingImports]


class Growing(compiled_model_worker.CompiledSession):
    def reserve(self, queries):
        pass


if __name__ == "__main__":
    compiled_model_worker.tflite_worker.main(sys.argv[1], Growing)
