"""Augmentation of rendered pictures: other colours, light, background and picture proportions."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

KNOTS = 5


@dataclass(frozen=True)
class Stretch:
    """Monotone, piecewise linear maps of both picture axes.

    Attributes:
        out: (2, k) knots in the new picture, pixels; x first.
        source: (2, k) where those lie in the old one.
    """

    out: Float[np.ndarray, "2 k"]
    source: Float[np.ndarray, "2 k"]

    @classmethod
    def draw(cls, size: int, strength: float, random: np.random.Generator) -> "Stretch":
        """Draw one: parts stretched by exp of +-strength, a little zoom and shift.

        Args:
            size: side of the picture, pixels.
            strength: 0 leaves the picture as it is.
            random: source of all values.
        """
        source = []
        for _ in range(2):
            steps = np.exp(random.uniform(-strength, strength, KNOTS - 1))
            span = size * np.exp(random.uniform(-0.4, 0.6) * strength)
            start = (size - span) / 2 + random.uniform(-0.2, 0.2) * strength * size
            source.append(start + np.concatenate([[0.0], np.cumsum(steps) / steps.sum()]) * span)
        return cls(np.tile(np.linspace(0, size, KNOTS), (2, 1)), np.stack(source))

    def apply(self, picture: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
        """Resample a picture; beyond its edge the border is repeated."""
        size = picture.shape[-1]
        centres = np.arange(size) + 0.5
        x, y = (np.interp(centres, self.out[k], self.source[k]) / size * 2 - 1 for k in range(2))
        grid = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), -1)
        grid = torch.from_numpy(grid.astype(np.float32))[None]
        return F.grid_sample(
            picture[None], grid, mode="bilinear", padding_mode="border", align_corners=False
        )[0]

    def moved(
        self, pixels: Float[np.ndarray, "p 2"]
    ) -> tuple[Float[np.ndarray, "p 2"], Bool[np.ndarray, " p"]]:
        """Return where pixels of the old picture lie in the new one, and whether they are in it."""
        new = np.stack(
            [np.interp(pixels[:, k], self.source[k], self.out[k]) for k in range(2)], axis=1
        )
        inside = (pixels > self.source[:, 0]) & (pixels < self.source[:, -1])
        return new, inside.all(axis=1)


def recoloured(
    rgba: UInt8[np.ndarray, "h w 4"],
    material: Int[np.ndarray, "h w"],
    random: np.random.Generator,
) -> Float[Tensor, "3 h w"]:
    """Give every material another tint, change the light, lay the picture on some background.

    Args:
        rgba: straight alpha.
        material: index per pixel, -1 = none.
        random: source of all values.

    Returns:
        RGB in 0..1.
    """
    colour = rgba[..., :3].astype(np.float32) / 255
    alpha = rgba[..., 3:].astype(np.float32) / 255
    index = np.maximum(material, 0)
    tints = np.exp(random.uniform(-0.7, 0.5, (int(index.max()) + 1, 3))).astype(np.float32)
    if random.random() < 0.8:
        colour = colour * tints[index]
    if random.random() < 0.4:
        colour = np.repeat(colour.mean(axis=-1, keepdims=True), 3, axis=-1)
    colour = np.clip(colour, 0, 1) ** np.float32(np.exp(random.uniform(-0.5, 0.5)))
    colour = np.clip(colour * np.float32(np.exp(random.uniform(-0.3, 0.3))), 0, 1)
    # White is what features are made on; other backgrounds teach to look at the object
    background = random.random(3).astype(np.float32) if random.random() < 0.4 else np.float32(1)
    if random.random() < 0.3:
        colour = colour + random.normal(0, 0.03, colour.shape).astype(np.float32)
    picture = np.clip(colour, 0, 1) * alpha + background * (1 - alpha)
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def on_white(rgba: UInt8[np.ndarray, "h w 4"]) -> Float[Tensor, "3 h w"]:
    """Lay a picture on white, RGB in 0..1, channels first: what features are made on."""
    values = rgba.astype(np.float32) / 255
    picture = values[..., :3] * values[..., 3:] + 1 - values[..., 3:]
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
