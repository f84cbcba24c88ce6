"""Opens and runs damaged files, seed by seed, and says what becomes of each: the process that may die."""

import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bottomup.errors import BottomupError
from bottomup.networks.opening import open_network

MEMORY = 6 << 30  # bytes of address space: more is an escape too


def write(kind, seed, folder):
    """Write a file, or two, and return its path."""
    if kind == "tflite":
        from tests.fuzz.tflite_files import tflite_file

        path = folder / "net.tflite"
        path.write_bytes(tflite_file(seed))
    elif kind == "onnx":
        from tests.fuzz.onnx_files import onnx_file

        path = folder / "net.onnx"
        path.write_bytes(onnx_file(seed))
    else:
        from tests.fuzz.ir_files import ir_files

        path = folder / "net.xml"
        xml, weights = ir_files(seed)
        path.write_bytes(xml)
        path.with_suffix(".bin").write_bytes(weights)
    return path


def main():
    """Go through the seeds."""
    runtime, kind, start, stop = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(start, stop):
            print("begin", seed, flush=True)
            try:
                path = write(kind, seed, Path(folder))
            except Exception as error:  # some damage cannot be written
                print("unwritten", type(error).__name__, flush=True)
                continue
            try:
                network = open_network(path, runtime=runtime)
                network.run(np.full(network.input.shape, 7, network.input.dtype))
                print("ran", flush=True)
            except BottomupError as error:
                print("refused", flush=True)
                if "\n" in str(error):
                    print("escaped: several lines", flush=True)
            except BaseException as error:
                print(f"escaped: {type(error).__name__}: {error}".replace("\n", " ")[:200], flush=True)


if __name__ == "__main__":
    main()
