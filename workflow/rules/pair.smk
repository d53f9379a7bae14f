# The user's own two meshes: one job, one process.
