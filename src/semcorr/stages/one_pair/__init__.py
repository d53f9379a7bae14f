"""The parts of `pair`: what is asked for, which method, the chain in memory, what is left behind."""
