"""`compiled`: numba's decorator with a type, so that kernels stay visible to the type checker."""

from collections.abc import Callable
from typing import cast

from numba import njit


def compiled[Kernel: Callable[..., object]](kernel: Kernel) -> Kernel:
    """The function compiled at its first call; the machine code is kept on disk for the next process."""
    return cast(Kernel, njit(cache=True)(kernel))
