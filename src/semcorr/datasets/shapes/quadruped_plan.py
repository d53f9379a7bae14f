"""Four-legged animals: the measures of each species, drawn for one animal.

Lengths are shares of the distance from shoulder to hip joint, which is 1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Range = tuple[float, float]


class Species(NamedTuple):
    """Ranges of a species' measures (see `Animal`) and the constructions that it may have."""

    legs: Range
    chest: Range
    waist: Range
    neck: Range
    neck_angle: Range
    neck_size: Range
    head: Range
    muzzle: Range
    leg_size: Range
    foot: str
    ears: str
    tail: str
    tail_length: Range
    horns: str = "none"
    extra: str = "none"


# legs, chest, waist, neck, angle, neck size, head, muzzle, leg size, foot, ears, tail, its length
SPECIES = {
    "dog": Species((0.72, 0.98), (0.23, 0.32), (0.62, 0.85), (0.28, 0.42), (25, 60), (0.5, 0.68),
                   (0.36, 0.5), (0.38, 0.6), (0.055, 0.085), "paw", "pointed floppy long",
                   "thin curl stub bushy", (0.35, 0.65)),
    "dachshund": Species((0.36, 0.5), (0.2, 0.27), (0.75, 0.95), (0.25, 0.38), (35, 60),
                         (0.5, 0.66), (0.36, 0.46), (0.35, 0.5), (0.045, 0.065), "paw", "floppy",
                         "thin", (0.35, 0.6)),
    "fox": Species((0.66, 0.88), (0.19, 0.26), (0.65, 0.85), (0.26, 0.36), (15, 45), (0.5, 0.65),
                   (0.36, 0.46), (0.26, 0.4), (0.04, 0.06), "paw", "pointed", "bushy",
                   (0.65, 0.95)),
    "cat": Species((0.62, 0.8), (0.2, 0.27), (0.75, 0.98), (0.18, 0.28), (20, 50), (0.5, 0.65),
                   (0.26, 0.34), (0.55, 0.75), (0.04, 0.06), "paw", "pointed", "thin bushy",
                   (0.6, 1.0)),
    "bear": Species((0.6, 0.78), (0.34, 0.44), (0.9, 1.08), (0.24, 0.34), (-5, 25), (0.62, 0.78),
                    (0.4, 0.5), (0.38, 0.52), (0.1, 0.14), "paw", "round", "stub", (0.06, 0.12)),
    "horse": Species((1.02, 1.28), (0.25, 0.33), (0.8, 0.98), (0.6, 0.8), (35, 60), (0.6, 0.8),
                     (0.5, 0.64), (0.36, 0.48), (0.05, 0.075), "hoof", "pointed", "horse",
                     (0.6, 0.95), "none", "mane"),
    "donkey": Species((0.85, 1.05), (0.25, 0.33), (0.85, 1.0), (0.45, 0.6), (30, 50), (0.55, 0.7),
                      (0.5, 0.62), (0.42, 0.52), (0.05, 0.07), "hoof", "long", "tuft",
                      (0.5, 0.75), "none", "mane"),
    "cow": Species((0.72, 0.95), (0.33, 0.42), (0.9, 1.1), (0.36, 0.5), (5, 30), (0.6, 0.75),
                   (0.46, 0.58), (0.5, 0.64), (0.06, 0.09), "hoof", "side", "tuft", (0.6, 0.85),
                   "short none"),
    "bull": Species((0.68, 0.88), (0.4, 0.5), (0.66, 0.85), (0.36, 0.48), (10, 30), (0.7, 0.86),
                    (0.46, 0.56), (0.52, 0.66), (0.07, 0.1), "hoof", "side", "tuft", (0.6, 0.85),
                    "wide short", "hump none"),
    "deer": Species((1.0, 1.3), (0.21, 0.28), (0.75, 0.95), (0.5, 0.72), (45, 68), (0.5, 0.65),
                    (0.36, 0.46), (0.34, 0.46), (0.038, 0.055), "hoof", "side long", "stub",
                    (0.1, 0.2), "antlers antlers none"),
    "goat": Species((0.72, 0.95), (0.26, 0.34), (0.85, 1.05), (0.38, 0.52), (40, 62), (0.5, 0.65),
                    (0.36, 0.46), (0.38, 0.5), (0.045, 0.065), "hoof", "side floppy", "stub",
                    (0.12, 0.22), "arched curled", "beard none"),
    "sheep": Species((0.58, 0.75), (0.36, 0.46), (0.95, 1.1), (0.28, 0.38), (20, 45), (0.55, 0.7),
                     (0.34, 0.42), (0.42, 0.55), (0.042, 0.06), "hoof", "side", "stub tuft",
                     (0.15, 0.3), "none curled"),
    "pig": Species((0.44, 0.58), (0.32, 0.42), (0.9, 1.08), (0.2, 0.28), (0, 20), (0.66, 0.8),
                   (0.42, 0.54), (0.5, 0.62), (0.055, 0.08), "hoof", "pointed floppy", "curl",
                   (0.16, 0.28)),
    "giraffe": Species((1.5, 2.0), (0.3, 0.38), (0.6, 0.75), (1.4, 1.95), (52, 68), (0.55, 0.7),
                       (0.44, 0.55), (0.34, 0.44), (0.055, 0.075), "hoof", "side", "tuft",
                       (0.6, 0.85), "knobs", "mane"),
    "camel": Species((1.1, 1.4), (0.28, 0.36), (0.7, 0.88), (0.75, 1.0), (30, 55), (0.5, 0.62),
                     (0.4, 0.5), (0.44, 0.55), (0.055, 0.075), "pad", "round", "tuft",
                     (0.4, 0.6), "none", "one_hump two_humps"),
    "alpaca": Species((0.85, 1.1), (0.3, 0.38), (0.88, 1.02), (0.6, 0.85), (58, 78), (0.6, 0.75),
                      (0.32, 0.4), (0.42, 0.55), (0.06, 0.085), "pad", "long", "stub bushy",
                      (0.15, 0.3)),
    "elephant": Species((0.85, 1.1), (0.46, 0.58), (0.9, 1.02), (0.24, 0.34), (10, 30),
                        (0.6, 0.75), (0.46, 0.58), (0.5, 0.62), (0.13, 0.17), "pad", "flap",
                        "tuft", (0.45, 0.65), "tusks tusks none", "trunk"),
    "rhino": Species((0.58, 0.75), (0.38, 0.48), (0.92, 1.05), (0.28, 0.36), (-5, 15),
                     (0.7, 0.84), (0.54, 0.66), (0.5, 0.64), (0.1, 0.13), "pad", "side", "tuft",
                     (0.35, 0.55), "nose"),
}  # fmt: skip


@dataclass(frozen=True)
class Animal:
    """Measures of one animal; shares of the distance from shoulder to hip, angles in degrees.

    Attributes:
        species, foot, ears, tail, horns, extra: names of the constructions.
        legs: height of the back's centre line above the ground.
        chest: half height of the chest.
        waist: half height before the hips as a share of the chest's.
        breadth: half width as a share of the half height.
        neck: its length; neck_angle: above the horizontal; neck_size: half height at its root as a
            share of the chest's.
        head: its length; head_size: half height of the skull; head_angle: below the horizontal.
        muzzle: half height at the nose as a share of the skull's.
        leg_size: radius of the lower legs.
        thigh: radius of the thighs.
        crouch: how much the hind legs are bent at rest, 1 = usual.
        tail_length: its length.
        ear: length of the ears as a share of the head's.
        power: roundness of cross-sections, see `lofts.outline`.
    """

    species: str
    foot: str
    ears: str
    tail: str
    horns: str
    extra: str
    legs: float
    chest: float
    waist: float
    breadth: float
    neck: float
    neck_angle: float
    neck_size: float
    head: float
    head_size: float
    head_angle: float
    muzzle: float
    leg_size: float
    thigh: float
    crouch: float
    tail_length: float
    ear: float
    power: float

    @property
    def joints(self) -> float:
        """Height of the shoulder and hip joints."""
        return self.legs - 0.25 * self.chest

    @property
    def stance(self) -> float:
        """Distance of the legs from the middle."""
        return max(0.7 * self.breadth * self.chest, 1.25 * self.leg_size)

    @property
    def neck_way(self) -> np.ndarray:
        """Direction (3,) of the neck."""
        angle = np.radians(self.neck_angle)
        return np.array([0.0, -np.cos(angle), np.sin(angle)])

    @property
    def neck_root(self) -> np.ndarray:
        """Where the neck leaves the chest (3,)."""
        # a thick neck starts lower, so that it does not break through the back
        above = min(0.22, 0.78 - self.neck_size) * self.chest
        return np.array([0.0, -0.5, self.legs + above])

    @property
    def poll(self) -> np.ndarray:
        """Where head and neck meet (3,)."""
        return self.neck_root + self.neck * self.neck_way

    @property
    def head_way(self) -> np.ndarray:
        """Direction (3,) from the poll to the nose."""
        angle = np.radians(self.head_angle)
        return np.array([0.0, -np.cos(angle), -np.sin(angle)])

    @property
    def head_up(self) -> np.ndarray:
        """Direction (3,) upwards, square to the head's."""
        return np.array([0.0, self.head_way[2], -self.head_way[1]])


EAR_LENGTHS = {
    "pointed": (0.28, 0.42), "floppy": (0.35, 0.6), "long": (0.45, 0.7), "round": (0.16, 0.24),
    "side": (0.28, 0.42), "flap": (0.75, 1.0),
}  # fmt: skip


def draw(species: str, rng: np.random.Generator) -> Animal:
    """Draw the measures of one animal of a species."""
    kind = SPECIES[species]
    ranges = {name: value for name, value in kind._asdict().items() if isinstance(value, tuple)}
    measures = {name: rng.uniform(*value) for name, value in ranges.items()}
    names = {name: value for name, value in kind._asdict().items() if isinstance(value, str)}
    chosen = {name: str(rng.choice(value.split())) for name, value in names.items()}
    leg, chest, head = measures["leg_size"], measures["chest"], measures["head"]
    return Animal(
        species=species,
        **chosen,
        **measures,
        breadth=rng.uniform(0.62, 0.88),
        head_size=head * rng.uniform(0.3, 0.4) * (1.2 if species == "cat" else 1.0),
        head_angle=rng.uniform(10, 42),
        thigh=min(max(1.8 * leg, 0.42 * chest), 0.75 * chest),
        crouch=rng.uniform(0.7, 1.2) if chosen["foot"] == "paw" else rng.uniform(0.4, 0.8),
        ear=rng.uniform(*EAR_LENGTHS[chosen["ears"]]),
        power=rng.uniform(2.0, 2.6),
    )
