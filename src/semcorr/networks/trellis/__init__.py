"""Networks of TRELLIS' sparse-structure stage, with the key layouts of the released checkpoints."""
