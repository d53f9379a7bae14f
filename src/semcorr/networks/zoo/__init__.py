"""The registry of image networks: one module per network, named like it, with its entry SPEC."""
