"""From two sets of descriptors to a map target -> source, one module per matcher."""
