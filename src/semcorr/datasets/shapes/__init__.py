"""Grammars of procedural shapes: one module per category, over shared closed parts."""
