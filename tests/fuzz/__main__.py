"""Damaged model files by the thousand: none may end the process, nor raise anything but our errors.

    python -m tests.fuzz --runtime litert --count 20000        # by hand
    python -m tests.fuzz --seconds 60                          # in CI: every runtime that is installed

Files are run in child processes. One that dies is reported with its seed, which makes the same file again, and the
next child goes on behind it.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
KINDS = {"litert": "tflite", "tflite_runtime": "tflite", "openvino": "tflite onnx xml", "onnxruntime": "onnx"}


def run(runtime, kind, start, stop, deadline):
    """Return how many files were refused and ran, and the seeds of those that ended their process or escaped."""
    counts, bad = {"refused": 0, "ran": 0}, []
    seed = start
    while seed < stop and time.monotonic() < deadline:
        command = [sys.executable, "-m", "tests.fuzz.child", runtime, kind, str(seed), str(stop)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            for line in child.stdout:
                if line.startswith("begin "):
                    seed = int(line.split()[1])
                elif line.startswith(("refused", "ran")):
                    counts[line.split()[0]] += 1
                elif line.startswith("escaped"):
                    bad.append((seed, line.strip()))
                if time.monotonic() > deadline:
                    child.kill()
                    break
        status = child.returncode
        if time.monotonic() > deadline:
            break
        if status:
            bad.append((seed, f"ended the process with status {status}"))
        seed += 1
    return counts, bad


def main():
    """Fuzz what was asked for; status 1 if anything got through."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="damaged model files by the thousand")
    parser.add_argument("--runtime", choices=list(KINDS), action="append", help="default: all that are installed")
    parser.add_argument("--kind", choices=["tflite", "onnx", "xml"], action="append")
    parser.add_argument("--count", type=int, default=1 << 30)
    parser.add_argument("--seconds", type=float, default=1e9, help="of all runtimes together")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    from bottomup.networks.opening import _is_installed

    pairs = [
        (runtime, kind)
        for runtime in asked.runtime or [name for name in KINDS if _is_installed(name)]
        for kind in KINDS[runtime].split()
        if asked.kind is None or kind in asked.kind
    ]
    failed = False
    for runtime, kind in pairs:
        deadline = time.monotonic() + asked.seconds / len(pairs)
        counts, bad = run(runtime, kind, asked.seed, asked.seed + asked.count, deadline)
        print(f"{runtime:>15} {kind:>7}: {counts['refused']} refused, {counts['ran']} ran, {len(bad)} got through")
        for seed, what in bad:
            print(f"    seed {seed}: {what}")
        failed = failed or bool(bad)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
