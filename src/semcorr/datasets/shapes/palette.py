"""Random but plausible materials: woods, metals, fabrics, leathers, plastics, small textures."""

import colorsys

import numpy as np
from jaxtyping import UInt8

from semcorr.geometry.mesh import Material

# lightest and darkest sRGB colour of each kind of wood
WOODS = (
    ((0.87, 0.74, 0.55), (0.71, 0.55, 0.36)),
    ((0.68, 0.46, 0.27), (0.50, 0.31, 0.17)),
    ((0.45, 0.28, 0.17), (0.24, 0.14, 0.09)),
    ((0.60, 0.32, 0.20), (0.39, 0.17, 0.10)),
    ((0.78, 0.70, 0.60), (0.55, 0.48, 0.41)),
)
METALS = ((0.78, 0.79, 0.80), (0.55, 0.56, 0.58), (0.16, 0.16, 0.17), (0.74, 0.60, 0.33))
FURS = (
    (0.46, 0.30, 0.17), (0.28, 0.19, 0.13), (0.72, 0.55, 0.34), (0.85, 0.80, 0.72),
    (0.50, 0.48, 0.46), (0.14, 0.13, 0.13), (0.76, 0.42, 0.18), (0.62, 0.53, 0.44),
)  # fmt: skip
SKINS = ((0.96, 0.80, 0.69), (0.87, 0.67, 0.52), (0.71, 0.50, 0.36), (0.47, 0.31, 0.22))
LEATHERS = ((0.35, 0.20, 0.12), (0.12, 0.10, 0.10), (0.58, 0.34, 0.18), (0.82, 0.76, 0.66))


def wood(rng: np.random.Generator) -> tuple[float, float, float]:
    """A wood colour, sRGB in 0..1."""
    light, dark = WOODS[rng.integers(len(WOODS))]
    share = rng.random()
    return tuple(share * a + (1 - share) * b for a, b in zip(light, dark, strict=True))


def metal(rng: np.random.Generator) -> tuple[float, float, float]:
    """A metal colour, or now and then a lacquer in any hue, sRGB in 0..1."""
    if rng.random() < 0.25:
        return plastic(rng)
    shade = rng.uniform(0.9, 1.1)
    return tuple(min(1.0, shade * c) for c in METALS[rng.integers(len(METALS))])


def fabric(rng: np.random.Generator) -> tuple[float, float, float]:
    """An upholstery colour, sRGB in 0..1."""
    if rng.random() < 0.25:
        return LEATHERS[rng.integers(len(LEATHERS))]
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.05, 0.75), rng.uniform(0.3, 0.9))


def fur(rng: np.random.Generator) -> tuple[float, float, float]:
    """A coat colour of an animal, sRGB in 0..1."""
    return _shaded(FURS, rng)


def skin(rng: np.random.Generator) -> tuple[float, float, float]:
    """A human skin colour, sRGB in 0..1."""
    return _shaded(SKINS, rng)


def plastic(rng: np.random.Generator) -> tuple[float, float, float]:
    """A strong colour, white or black, sRGB in 0..1."""
    if rng.random() < 0.3:
        return (0.93, 0.93, 0.92) if rng.random() < 0.6 else (0.10, 0.10, 0.11)
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.5, 0.95), rng.uniform(0.5, 0.95))


def material(color, texture: UInt8[np.ndarray, "h w 4"] | None = None) -> Material:
    """An opaque material; a texture already carries the colour, which is then white."""
    base = (1.0, 1.0, 1.0) if texture is not None else color
    # four digits: colours survive being written to and read from mesh files
    return Material((*(round(float(c), 4) for c in base), 1.0), texture)


def grain(color, rng: np.random.Generator) -> UInt8[np.ndarray, "64 64 4"]:
    """Wood grain: wavy lines of a darker shade, running along v (upwards)."""
    size = 64
    v, u = np.mgrid[0:size, 0:size] / size
    bend = 0.05 * np.sin(2 * np.pi * (v * rng.uniform(0.5, 1.5) + rng.random()))
    line = np.sin(2 * np.pi * rng.integers(7, 13) * (u + bend))
    return _picture(color, 1 + 0.14 * line + rng.normal(0, 0.03, (size, size)))


def weave(color, rng: np.random.Generator) -> UInt8[np.ndarray, "32 32 4"]:
    """Woven cloth: checks with a little noise."""
    size = 32
    v, u = np.mgrid[0:size, 0:size]
    period = int(rng.integers(2, 5))
    check = ((u // period + v // period) % 2) * 2 - 1
    return _picture(color, 1 + 0.12 * check + rng.normal(0, 0.03, (size, size)))


def stripes(color, rng: np.random.Generator) -> UInt8[np.ndarray, "64 64 4"]:
    """Upright stripes of two shades."""
    size = 64
    u = np.broadcast_to(np.arange(size)[None], (size, size))
    band = ((u // int(rng.integers(2, 7))) % 2) * 2 - 1
    return _picture(color, 1 + rng.uniform(0.1, 0.35) * band)


def _shaded(colours, rng: np.random.Generator) -> tuple[float, float, float]:
    shade = rng.uniform(0.85, 1.1)
    return tuple(min(1.0, shade * c) for c in colours[rng.integers(len(colours))])


def _picture(color, shade: np.ndarray) -> np.ndarray:
    """RGBA picture of a colour multiplied by a shade per pixel."""
    rgb = np.clip(np.asarray(color) * shade[..., None], 0, 1)
    picture = np.full((*shade.shape, 4), 255, np.uint8)
    picture[..., :3] = np.rint(rgb * 255)
    return picture
