"""`voxels:` surface occupancy of shapes, optionally in several poses."""

from pydantic import Field, model_validator

from semcorr.config.base import Variant


class Voxel(Variant):
    """Surface voxels of every item (HNSR: 64^3), anew for every pose of `yaws` or `rotations`."""

    resolution: int = Field(64, ge=8, le=256, multiple_of=4, description="cells per axis")
    yaws: int = Field(
        1, ge=1, le=360, description="turned copies at k * 360 / yaws degrees about +Z"
    )
    rotations: int = Field(
        1,
        ge=1,
        le=1024,
        description="copies turned about all axes, nearly uniform; 24 = those of the cube",
    )

    @model_validator(mode="after")
    def _one_set_of_poses(self):
        if self.yaws > 1 and self.rotations > 1:
            raise ValueError("yaws and rotations: one of them must be 1")
        return self

    @property
    def poses(self) -> int:
        """In how many poses a shape is voxelised; the first is the shape as it is."""
        return max(self.yaws, self.rotations)
