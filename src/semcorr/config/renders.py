"""`renders:` camera rig, resolution and backend of a set of views."""

import math
from typing import Literal

from pydantic import Field, field_validator, model_validator

from semcorr.config.base import Variant

# Every shape lies within this distance of the origin: half the diagonal of the unit box, rounded up
CLEAR = 0.87


class Render(Variant):
    """Views of every item of a data set (defaults: HNSR's five Hammersley views, our sizes)."""

    rig: Literal["hammersley", "orbit", "fibonacci", "explicit"] = "hammersley"
    views: int = Field(5, ge=1, le=1000, description="number of cameras (ignored for `explicit`)")
    radius: float = Field(2.0, gt=CLEAR, le=100.0, description="camera distance, longest side = 1")
    fov_deg: float = Field(
        40.0, gt=1.0, lt=120.0, description="field of view of both axes, degrees"
    )
    elevations: tuple[float, ...] = Field(
        (20.0,), min_length=1, description="rings of the `orbit` rig, degrees"
    )
    positions: tuple[tuple[float, float, float], ...] = Field(
        (), description="cameras of `explicit`, each further from the origin than 0.87"
    )
    resolution: int = Field(256, ge=16, le=4096, description="picture size, pixels")
    backend: Literal["blender", "blenderproc", "rasterize", "raycast"] = "blender"
    samples: int = Field(16, ge=1, le=4096, description="Cycles samples, or rays a pixel (raycast)")

    @field_validator("positions")
    @classmethod
    def _cameras_are_outside(cls, positions):
        for place in positions:
            if math.hypot(*place) <= CLEAR:
                raise ValueError(
                    f"{list(place)} lies where shapes are: not further from the origin than {CLEAR}"
                )
        return positions

    @model_validator(mode="after")
    def _positions_belong_to_explicit(self):
        if (self.rig == "explicit") != bool(self.positions):
            raise ValueError("`positions` must be given for rig: explicit, and only there")
        return self

    def code_modules(self) -> tuple[str, ...]:
        """Return the worker that Blender runs in a process of its own: nothing imports it."""
        runs_worker = self.backend in ("blender", "blenderproc")
        return ("semcorr.rendering.blender_worker",) if runs_worker else ()
