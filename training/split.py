"""What is held out: a hash of its names decides, the same everywhere and for ever."""

import hashlib


def tenth(*key: str) -> bool:
    """True for a tenth of all keys."""
    return hashlib.sha256("|".join(key).encode()).digest()[0] * 10 < 256
