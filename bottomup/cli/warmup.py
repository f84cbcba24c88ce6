"""`bottomup warmup`: compile ahead of time."""

import argparse
import sys

from bottomup.cli.console import say


def warm_up(asked: argparse.Namespace) -> int:
    """Compile every kernel by decoding something small."""
    import time

    started = time.perf_counter()
    from bottomup.paf.decoder import PafDecoder
    from bottomup.posenet.decoder import PoseNetDecoder as PoseNet
    from bottomup.synthetic import paf_fields, posenet_fields, random_poses

    size = (129, 129)
    person = random_poses(1, size)
    for quantized in (False, True):
        fields = posenet_fields(person, size, quantized=quantized)
        for decoder in (PoseNet(), PoseNet.coral(), PoseNet.tfjs(), PoseNet.tfjs(max_poses=1), PoseNet.personlab()):
            decoder.decode(fields)
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
    modules = [module for name, module in sys.modules.items() if name.startswith("bottomup.")]
    kernels = [value for module in modules for value in vars(module).values() if hasattr(value, "stats")]
    return sorted({kernel.stats.cache_path for kernel in kernels} - {None})
