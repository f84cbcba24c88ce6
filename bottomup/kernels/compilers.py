"""How numba compiles kernels and helpers: as it does, in a third less time.

This overrides what numba does not document. Where a later numba calls something by another name, its own is used, and
the first call takes longer.
"""

import gc
from collections.abc import Callable
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, Flags

_UNNEEDED = (
    "InlineClosureLikes",  # functions in functions, comprehensions
    "InlineOverloads",
    "NopythonRewrites",  # array expressions
)


class _Flags(Flags):  # type: ignore[misc]
    """Flags that compare what was set, not each of forty options; numba looks every operator up by them."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 0  # numba's, too, is the same for all

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Flags) and self._values == other._values


class _Compiler(Compiler):  # type: ignore[misc]
    """numba's compiler with the flags above, and without the passes that are for what no kernel has."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.state.flags = _Flags(self.state.flags)

    def define_pipelines(self) -> Any:
        """Return the passes."""
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [step for step in pipeline.passes if step[0].__name__ not in _UNNEEDED]
        return pipelines


class KernelCompiler(_Compiler):
    """The compiler of kernels: garbage waits until it is done, for numba keeps so much that a look takes a sixth."""

    def compile_extra(self, function: Callable[..., Any]) -> Any:
        """Compile a function."""
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(function)
        finally:
            if was_enabled:
                gc.enable()


class HelperCompiler(_Compiler):
    """The compiler of helpers: what it makes is to be linked only."""

    def __init__(self, typing_context: Any, target_context: Any, library: Any, *arguments: Any) -> None:
        library = _LinkedOnly(target_context.codegen(), "helper")
        super().__init__(typing_context, target_context, library, *arguments)


class _LinkedOnly(JITCodeLibrary):  # type: ignore[misc]
    """LLVM code of which each function was tidied, no more: it is optimised and made machine code in the kernel.

    Left untidied, kernels take up to a third longer to run. As nothing runs by itself, there is no address to ask for,
    and no environment to set at one: `codegen`, of which numba asks that, is this.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, environment: Any) -> None:
        pass
