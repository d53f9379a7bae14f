"""Options of each kind of variant: one module per kind, named like the module of its code."""
