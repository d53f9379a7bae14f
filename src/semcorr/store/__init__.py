"""Chunk stores and their manifests: the only reader and writer of results that hold many items."""
