"""`bottomup warmup`: compile ahead of time."""

import argparse
import itertools
import sys
from typing import Any

from bottomup.cli.console import Progress, say
from bottomup.cli.parsing import add_command

_BATCH = 16  # images, as many as a batch kernel takes at once


def add_parser(commands: Any) -> None:
    """Add this command."""
    add_command(
        commands,
        "warmup",
        help="compile the decoders ahead of time",
        description="Compile the decoders now, so that later runs start faster.",
        command=warm_up,
    )


def warm_up(asked: argparse.Namespace) -> int:
    """Compile every kernel by decoding something small."""
    import time

    started = time.perf_counter()
    from bottomup.families import FAMILIES
    from bottomup.geometry import ImageSize, Placement

    size = ImageSize(129, 129)
    with Progress(2 * sum(len(family.decoders) for family in FAMILIES), unit="decoder") as progress:
        for family, quantized in itertools.product(FAMILIES, (False, True)):
            fields = family.example(quantized)
            for name, make in family.decoders.items():
                progress.name(f"{family.title}, {name}{', 8-bit' if quantized else ''}")
                decoder: Any = make()
                poses = decoder.decode(fields)
                decoder.decode_batch([fields] * _BATCH)
                progress.advance()
            if family.segment is not None:
                family.segment(fields, poses, None, Placement(1.0, 1.0, 0, 0, size), size)
    seconds = time.perf_counter() - started
    folders = _kernel_caches()
    if folders:
        say(f"kernels compiled in {seconds:.1f} s, cached in {', '.join(folders)}")
    else:
        say(f"kernels compiled in {seconds:.1f} s, but not cached: set NUMBA_CACHE_DIR to a writable folder")
    return 0


def _kernel_caches() -> list[str]:
    """Return the folders in which numba caches the compiled kernels; none if it cannot cache them."""
    from numba.core.registry import CPUDispatcher

    modules = [module for name, module in sys.modules.items() if name.startswith("bottomup.")]
    kernels = [value for module in modules for value in vars(module).values() if isinstance(value, CPUDispatcher)]
    return sorted({kernel.stats.cache_path for kernel in kernels} - {None})
