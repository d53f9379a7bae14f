"""Per-vertex and per-cell descriptors of shapes, one module per kind."""
