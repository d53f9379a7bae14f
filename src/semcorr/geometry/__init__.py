"""Meshes, frames, voxels and surface samples as plain arrays."""
