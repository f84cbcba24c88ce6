"""`bottomup warmup`: compile ahead of time."""

import argparse
import sys
from typing import Any

from bottomup.cli.console import say


def warm_up(asked: argparse.Namespace) -> int:
    """Compile every kernel by decoding something small."""
    import time

    started = time.perf_counter()
    import numpy as np

    from bottomup.paf.best import PafDecoder
    from bottomup.posenet.best import PoseNetDecoder as PoseNet
    from bottomup.posenet.together import TOGETHER
    from bottomup.synthetic import paf_fields, posenet_fields, random_poses

    size = (129, 129)
    person = random_poses(1, size)
    pixels: dict[str, Any] = {"masks": np.ones((1, *size), bool), "body_parts": np.zeros(size, int)}
    for quantized in (False, True):
        fields = posenet_fields(person, size, quantized=quantized, **pixels)
        for decoder in (PoseNet(), PoseNet.coral(), PoseNet.tfjs(), PoseNet.tfjs(max_poses=1), PoseNet.personlab()):
            decoder.decode(fields)
            decoder.decode_batch([fields] * TOGETHER)
        PoseNet().parts(fields, person)
        PafDecoder().decode(paf_fields(person, (128, 128), quantized=quantized))
    seconds = time.perf_counter() - started
    folders = _kernel_caches()
    if folders:
        say(f"kernels ready in {seconds:.1f} s, kept in {', '.join(folders)}")
    else:
        say(f"kernels ran in {seconds:.1f} s, but are kept nowhere: set NUMBA_CACHE_DIR to a folder you may write to")
    return 0


def _kernel_caches() -> list[str]:
    """Return the folders where numba keeps the kernels that were compiled, none if it keeps none."""
    from numba.core.registry import CPUDispatcher

    modules = [module for name, module in sys.modules.items() if name.startswith("bottomup.")]
    kernels = [value for module in modules for value in vars(module).values() if isinstance(value, CPUDispatcher)]
    return sorted({kernel.stats.cache_path for kernel in kernels} - {None})
