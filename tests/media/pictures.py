"""Pictures of random values."""

import numpy as np

RNG = np.random.default_rng(0)


def picture(height=6, width=9, channels=3, dtype=np.uint8):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return RNG.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
