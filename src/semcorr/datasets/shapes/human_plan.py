"""People: the measures of each build, drawn for one person. Lengths are shares of the height."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Range = tuple[float, float]


class Build(NamedTuple):
    """Ranges of a build's measures (see `Person`) and the constructions that it may have."""

    heads: Range
    leg: Range
    shoulder: Range
    hip: Range
    waist: Range
    depth: Range
    limb: Range
    arm: Range
    power: Range
    hair: str
    hands: str
    dress: str


# heads, leg, shoulder, hip, waist, depth, limb, arm, power, hair, hands, dress
BUILDS = {
    "man": Build((7.0, 7.8), (0.46, 0.5), (0.105, 0.125), (0.078, 0.09), (0.78, 0.92), (0.055, 0.07),
                 (0.85, 1.05), (0.95, 1.05), (2.2, 2.7), "none short hat", "fingers mitten",
                 "suit shorts plain"),
    "woman": Build((6.9, 7.6), (0.47, 0.51), (0.088, 0.102), (0.084, 0.1), (0.68, 0.8),
                   (0.052, 0.066), (0.75, 0.92), (0.92, 1.02), (2.0, 2.4),
                   "long bun ponytail short", "fingers mitten", "suit shorts plain"),
    "child": Build((5.4, 6.4), (0.42, 0.47), (0.085, 0.1), (0.072, 0.085), (0.88, 1.0),
                   (0.055, 0.068), (0.85, 1.0), (0.86, 0.96), (2.0, 2.4), "short ponytail bun hat",
                   "fingers mitten", "shorts suit"),
    "toddler": Build((4.0, 4.8), (0.34, 0.4), (0.095, 0.11), (0.085, 0.1), (1.0, 1.15),
                     (0.07, 0.088), (1.05, 1.3), (0.78, 0.88), (2.0, 2.3), "none short",
                     "mitten", "plain shorts"),
    "heavy": Build((6.6, 7.3), (0.43, 0.47), (0.12, 0.145), (0.11, 0.135), (1.08, 1.3),
                   (0.1, 0.135), (1.2, 1.55), (0.92, 1.02), (2.0, 2.4), "none short bun",
                   "fingers mitten", "suit plain"),
    "athlete": Build((7.4, 8.2), (0.48, 0.52), (0.13, 0.155), (0.078, 0.09), (0.72, 0.85),
                     (0.068, 0.085), (1.15, 1.4), (0.98, 1.08), (2.2, 2.8), "none short",
                     "fingers", "shorts"),
    "slender": Build((7.8, 8.8), (0.5, 0.55), (0.078, 0.092), (0.058, 0.07), (0.7, 0.85),
                     (0.036, 0.048), (0.5, 0.68), (1.02, 1.14), (2.0, 2.3), "none long ponytail",
                     "fingers mitten", "suit plain"),
    "cartoon": Build((2.6, 3.4), (0.28, 0.35), (0.085, 0.11), (0.07, 0.095), (0.9, 1.15),
                     (0.06, 0.09), (0.8, 1.2), (0.75, 0.95), (2.0, 2.8), "hat short bun long",
                     "mitten", "suit shorts"),
    "robot": Build((5.6, 7.0), (0.42, 0.5), (0.11, 0.15), (0.085, 0.11), (0.85, 1.05), (0.07, 0.1),
                   (0.9, 1.35), (0.95, 1.1), (5.0, 8.0), "none antenna", "mitten claw", "plain"),
    "doll": Build((4.6, 6.0), (0.42, 0.5), (0.075, 0.1), (0.065, 0.09), (0.65, 0.9), (0.045, 0.07),
                  (0.42, 0.6), (0.95, 1.1), (2.0, 2.4), "bun ponytail hat", "mitten claw", "plain"),
    "astronaut": Build((5.2, 6.0), (0.41, 0.46), (0.125, 0.15), (0.105, 0.125), (1.0, 1.15),
                       (0.095, 0.12), (1.5, 1.9), (0.92, 1.02), (2.2, 2.8), "helmet", "mitten",
                       "pack"),
    "long_armed": Build((5.8, 6.8), (0.34, 0.4), (0.13, 0.165), (0.085, 0.11), (0.9, 1.1),
                        (0.08, 0.11), (1.1, 1.5), (1.25, 1.5), (2.0, 2.6), "none short",
                        "fingers mitten", "plain shorts"),
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Measures of one person; shares of the height, angles in degrees.

    Attributes:
        build, hair, hands, dress: names of the constructions.
        heads: height of the whole in heights of the head.
        leg: height of the hip joints above the floor.
        shoulder, hip: half widths; waist: half width as a share of the hips'.
        depth: half depth of the chest.
        limb: thickness of the limbs, 1 = usual; arm: length of the arms, 1 = usual.
        power: roundness of cross-sections, see `lofts.outline`.
        knee: height of the knees as a share of the leg.
        foot: length of the feet.
        arm_angle: angle of the arms from the vertical at rest.
        stride: distance of the feet from the middle as a share of the hip joints'.
    """

    build: str
    hair: str
    hands: str
    dress: str
    heads: float
    leg: float
    shoulder: float
    hip: float
    waist: float
    depth: float
    limb: float
    arm: float
    power: float
    knee: float
    foot: float
    arm_angle: float
    stride: float

    @property
    def head(self) -> float:
        """Height of the head."""
        return 1.0 / self.heads

    @property
    def chin(self) -> float:
        """Height of the chin above the floor."""
        return 1.0 - self.head

    @property
    def throat(self) -> float:
        """Height at which the neck leaves the torso."""
        return self.chin - min(0.03, 0.22 * self.head)

    @property
    def belt(self) -> float:
        """Height of the waist, where hips and torso meet."""
        return self.leg + 0.3 * (self.throat - self.leg)

    @property
    def arm_way(self) -> np.ndarray:
        """Direction (3,) of the left arm at rest."""
        angle = np.radians(self.arm_angle)
        return np.array([np.sin(angle), 0.0, -np.cos(angle)])

    @property
    def arm_radius(self) -> float:
        """Radius of the arm at the shoulder."""
        return 0.03 * self.limb

    @property
    def arm_joints(self) -> list[np.ndarray]:
        """Left shoulder, elbow, wrist and end of the palm (3,)."""
        start = np.array([self.shoulder, 0.0, self.throat - 0.6 * self.arm_radius - 0.012])
        run = np.cumsum([0.0, 0.165, 0.145, 0.05]) * self.arm
        return [start + length * self.arm_way for length in run]

    @property
    def leg_joints(self) -> list[np.ndarray]:
        """Left hip, knee and ankle (3,)."""
        x = 0.56 * self.hip
        spread = (self.stride - 1) * x
        ankle = min(0.05, 0.14 * self.leg)
        return [
            np.array([x, 0.0, self.leg]),
            np.array([x + 0.55 * spread, -0.006, self.knee * self.leg]),
            np.array([x + spread, 0.006, ankle]),
        ]


def draw(build: str, rng: np.random.Generator) -> Person:
    """Draw the measures of one person of a build."""
    kind = BUILDS[build]._asdict()
    measures = {name: rng.uniform(*v) for name, v in kind.items() if isinstance(v, tuple)}
    chosen = {name: str(rng.choice(v.split())) for name, v in kind.items() if isinstance(v, str)}
    return Person(
        build=build,
        **chosen,
        **measures,
        knee=rng.uniform(0.51, 0.57),
        foot=rng.uniform(0.13, 0.165) * (1.25 if build in ("cartoon", "astronaut") else 1.0),
        arm_angle=float(
            rng.choice((rng.uniform(18, 35), rng.uniform(35, 60), rng.uniform(75, 88)))
        ),
        stride=rng.uniform(0.9, 1.5),
    )
