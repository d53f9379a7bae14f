"""3D semantic correspondence: pure functions on arrays, file-to-file stages, no knowledge of Snakemake."""
