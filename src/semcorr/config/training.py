"""What all trained networks share: data family, length, optimiser."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo, Strict, Variant
from semcorr.config.modules import Category


class Optimiser(Strict):
    """AdamW with linear warm-up and cosine decay, exponential moving average of the weights."""

    learning_rate: float = Field(1e-3, gt=0, le=1)
    weight_decay: float = Field(0.0, ge=0, le=1)
    warmup_steps: int = Field(100, ge=0)
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the moving average")
    clip_norm: float = Field(1.0, gt=0, description="largest gradient norm")


class Training(Variant):
    """Base of all models entries; shapes are procedural, with seeds that no benchmark uses."""

    PLANNING: ClassVar[frozenset[str]] = frozenset({"checkpoint_seconds"})

    samples: int = Field(10_000, ge=1, description="training length, samples seen")
    batch: int = Field(16, ge=1, le=4096)
    precision: Literal["fp32", "bf16"] = Field(
        "bf16",
        description="arithmetic of the training (`precision` at the top is that of features)",
    )
    optimiser: Optimiser = Optimiser()
    checkpoint_seconds: int = Field(60, ge=1, description="time between two checkpoints")


class VoxelTraining(Training):
    """Base of the networks on surface voxels, each shape under a random yaw."""

    categories: tuple[Category, ...] = Field(("chair",), min_length=1)
    family: int = Field(7_000_000, ge=0, description="seed of the training shapes")
    validation_family: int = Field(8_000_000, ge=0, description="seed of the validation shapes")
    shapes: int = Field(10_000, ge=1, description="number of different training shapes")
    validation_shapes: int = Field(128, ge=1, description="number of validation shapes")
    stretch: float = Field(0.15, ge=0, le=1, description="largest log of the random scale per axis")
    resolution: int = Field(32, ge=16, le=64, multiple_of=4, description="cells per axis")


VoxelModel = Annotated[Name, RefersTo("models")]
