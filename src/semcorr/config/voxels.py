"""`voxels:` surface occupancy of shapes, optionally for several yaws."""

from pydantic import Field

from semcorr.config.base import Variant


class Voxel(Variant):
    """Surface voxels of every item (HNSR: 64^3); `yaws` > 1 voxelises the turned shape anew per yaw."""

    resolution: int = Field(64, ge=8, le=256, multiple_of=4, description="cells per axis")
    yaws: int = Field(
        1, ge=1, le=360, description="turned copies at k * 360 / yaws degrees about +Z"
    )
