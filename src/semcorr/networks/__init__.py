"""Plain torch modules with the key layouts of the released checkpoints."""
