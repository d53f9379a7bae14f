"""Metrics and tables, computed from stored predictions."""
