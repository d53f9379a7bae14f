"""The configuration: pydantic models only, one module per top-level key, options of each kind in kinds/."""
