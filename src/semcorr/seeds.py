"""Seeds derived from (global seed, stage, item), never from order or time."""

import hashlib


def seed_of(global_seed: int, *names: str) -> int:
    """Return a 63-bit seed that depends on the global seed and on every name, in order."""
    text = "\x1f".join((str(int(global_seed)), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
