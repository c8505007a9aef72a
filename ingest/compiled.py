"""`compiled`: numba's decorator with a type, so that kernels stay visible to the type checker."""

from collections.abc import Callable
from typing import cast

from numba import njit


def compiled[Kernel: Callable[..., object]](kernel: Kernel) -> Kernel:
    """The function compiled at its first call; the machine code is kept on disk for the next process.

    Without a wrapper for C: nobody calls a kernel by its address, and each costs a tenth of its compiling.
    """
    return cast(Kernel, njit(cache=True, no_cfunc_wrapper=True)(kernel))


def inlined[Kernel: Callable[..., object]](kernel: Kernel) -> Kernel:
    """Likewise, and its code stands wherever it is called: for what is called often with a tuple of arrays.

    A call copies such a tuple and counts a reference to each of its arrays, which costs more than a short loop does.
    """
    return cast(Kernel, njit(cache=True, inline="always", no_cfunc_wrapper=True)(kernel))
