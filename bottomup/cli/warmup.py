"""`bottomup warmup`: compile ahead of time."""

import argparse
import sys
from typing import Any

from bottomup.cli.console import say
from bottomup.cli.parsing import add_command

_BATCH = 16  # images: as many as a batch kernel takes at once


def add_parser(commands: Any) -> None:
    """Add this command."""
    add_command(
        commands,
        "warmup",
        help="compile ahead of time",
        description="Compile the decoders once, so that later runs need not.",
        command=warm_up,
    )


def warm_up(asked: argparse.Namespace) -> int:
    """Compile every kernel by decoding something small."""
    import time

    started = time.perf_counter()
    from bottomup.families import FAMILIES
    from bottomup.geometry import ImageSize, Placement

    for family in FAMILIES:
        for quantized in (False, True):
            fields = family.example(quantized)
            for make in family.decoders.values():
                decoder: Any = make()
                poses = decoder.decode(fields)
                decoder.decode_batch([fields] * _BATCH)
            if family.segment is not None:
                size = ImageSize(129, 129)
                family.segment(fields, poses, None, Placement(1.0, 1.0, 0, 0, size), size)
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
