"""Other decoders, for who has them: libcoral's by ctypes, tfjs's under node."""

import ctypes
import json
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import bottomup as bu

_SCRIPT = Path(__file__).with_name("tfjs_peer.js")


class CoralLibrary:
    """`DecodeAllPoses` of a shared library built from google-coral/libcoral or edgetpu, such as posenet_decoder.so.

    Takes float tensors, made before the clock runs; its own answer is thrown away but for the number of poses.
    """

    def __init__(self, path: str, max_poses: int) -> None:
        names = re.findall(rb"_ZN\w*14DecodeAllPoses\w*", Path(path).read_bytes())
        if not names:
            raise SystemExit(f"{path} exports no DecodeAllPoses: is it Coral's PoseNet decoder?")
        self._decode = getattr(ctypes.CDLL(path), names[0].decode())
        self._decode.restype = ctypes.c_int
        self._poses = [np.empty(shape, np.float32) for shape in ((max_poses, 17, 2), (max_poses, 17), (max_poses,))]
        self._most = max_poses

    def prepare(self, fields: bu.PoseNetFields) -> tuple:
        """Return the arguments for one image."""
        floats = fields.as_logits.as_floats
        vectors = np.concatenate([floats.displacements_fwd, floats.displacements_bwd], axis=2)
        stride = np.float32(fields.output_stride)
        tensors = [
            np.ascontiguousarray(tensor) for tensor in (floats.heatmaps, floats.offsets / stride, vectors / stride)
        ]
        c_float, pointers = ctypes.c_float, [ctypes.c_void_p(array.ctypes.data) for array in (*tensors, *self._poses)]
        rules = (self._most, c_float(0.2), 5, c_float(10 / fields.output_stride), int(fields.output_stride))
        return tensors, (*pointers[:3], *fields.grid, *rules, *pointers[3:])

    def decode(self, prepared: tuple) -> int:
        """Decode one image; return how many poses there are."""
        return int(self._decode(*prepared[1]))


def time_tfjs(node_modules: str, scenes: list, max_poses: int, rounds: int) -> float:
    """Return the median microseconds of decodeMultiplePoses of @tensorflow-models/posenet, as installed there.

    The thresholds are those of `PoseNetDecoder.tfjs()`; tensors are float scores, made before the clock runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        for number, fields in enumerate(scenes):
            floats = fields.as_floats
            scores = 1 / (1 + np.exp(-floats.heatmaps))
            tensors = scores, floats.offsets, floats.displacements_fwd, floats.displacements_bwd
            for name, tensor in zip("hofb", tensors, strict=True):
                np.ascontiguousarray(tensor, np.float32).tofile(Path(folder) / f"{number}{name}")
        height, width = scenes[0].grid
        asked = {"folder": folder, "scenes": len(scenes), "height": height, "width": width, "rounds": rounds}
        asked |= {"stride": scenes[0].output_stride, "most": max_poses}
        command = ["node", str(_SCRIPT), str(Path(node_modules).resolve()), json.dumps(asked)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
