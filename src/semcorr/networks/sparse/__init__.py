"""Operations on the occupied voxels of a grid: convolution, pooling, attention in groups."""
