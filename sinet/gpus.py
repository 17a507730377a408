"""How many GPUs there are, asked of NVIDIA's driver: no runtime is loaded to hear that none is."""

import ctypes
import functools


@functools.cache
def gpu_count() -> int:
    """Return the number of CUDA devices that this process may use; 0 without a driver.

    `CUDA_VISIBLE_DEVICES` holds. Whether a runtime can use them is that runtime's to say.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
