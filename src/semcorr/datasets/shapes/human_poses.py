"""Poses of people: angles of the bones, drawn with some spread.

Turns about x: positive ones swing limbs backwards and bend the trunk forwards.
"""

from collections.abc import Callable

import numpy as np

from semcorr.datasets.shapes.articulated import Turns, both, rotation
from semcorr.datasets.shapes.human_plan import Person

SIDES = ("left", "right")


def arm(p: Person, side: str, out: float, swing: float = 0.0, elbow: float = 0.0) -> dict:
    """Turns of one arm, whatever its angle at rest.

    Args:
        out: angle from the vertical to the side; swing: then backwards; elbow: bend of the elbow,
            degrees.
    """
    sign = 1.0 if side == "left" else -1.0
    rest = sign * p.arm_angle
    # the elbow bends forwards about the axis that lies across when the arm hangs down
    bend = rotation((0, -rest, 0)) @ rotation((-elbow, 0, 0)) @ rotation((0, rest, 0))
    return {
        f"{side}_upperarm": rotation((swing, 0, 0)) @ rotation((0, rest - sign * out, 0)),
        f"{side}_lowerarm": bend,
    }


def leg(side: str, swing: float, knee: float, foot: float = 0.0, out: float = 0.0) -> dict:
    """Turns of one leg: `swing` forwards, `knee` bends, `foot` lifts the toes, degrees."""
    sign = 1.0 if side == "left" else -1.0
    return {
        f"{side}_upperleg": (-swing, -sign * out, 0.0),
        f"{side}_lowerleg": (knee, 0.0, 0.0),
        f"{side}_foot": (-foot, 0.0, 0.0),
    }


def stand(p: Person, rng: np.random.Generator) -> Turns:
    """Arms hang down."""
    out, swing, elbow = rng.uniform((6, -4, 2), (16, 6, 20))
    turns = {"head": (rng.uniform(-5, 10), 0, rng.uniform(-25, 25))}
    for side in SIDES:
        turns |= arm(p, side, out, -swing, elbow)
    return turns


def walk(p: Person, rng: np.random.Generator) -> Turns:
    """Arms and legs swing against each other."""
    s, ahead, behind = rng.uniform(18, 32), *rng.permutation(SIDES)
    turns = leg(ahead, s, 8) | leg(behind, -0.8 * s, 0.9 * s, -0.2 * s)
    turns |= arm(p, ahead, 8, 0.9 * s, 15) | arm(p, behind, 8, -0.9 * s, 20)
    return turns | {"torso": (3, 0, 0)}


def run(p: Person, rng: np.random.Generator) -> Turns:
    """A long stride with bent elbows."""
    s, ahead, behind = rng.uniform(42, 60), *rng.permutation(SIDES)
    turns = leg(ahead, s, 60) | leg(behind, -0.6 * s, 65, -20)
    turns |= arm(p, ahead, 12, s, 85) | arm(p, behind, 12, -s, 85)
    return turns | {"torso": (14, 0, 0), "head": (-8, 0, 0)}


def sit(p: Person, rng: np.random.Generator) -> Turns:
    """Thighs level, hands on or over the knees."""
    lift, out = rng.uniform(78, 92), rng.uniform(2, 14)
    turns = {"torso": (rng.uniform(-8, 12), 0, 0)}
    for side in SIDES:
        turns |= leg(side, lift, lift + rng.uniform(-12, 6), 0, out)
        turns |= arm(p, side, 10, -rng.uniform(18, 38), rng.uniform(30, 55))
    return turns


def arms_up(p: Person, rng: np.random.Generator) -> Turns:
    """Both arms raised."""
    out, elbow = rng.uniform(135, 168), rng.uniform(0, 25)
    turns = {}
    for side in SIDES:
        turns |= arm(p, side, out, 0, elbow)
    return turns


def t_pose(p: Person, rng: np.random.Generator) -> Turns:
    """Arms level, legs apart."""
    out, apart = rng.uniform(80, 95), rng.uniform(4, 18)
    turns = {}
    for side in SIDES:
        turns |= arm(p, side, out) | leg(side, 0, 0, 0, apart)
    return turns


def wave(p: Person, rng: np.random.Generator) -> Turns:
    """One arm up, the other down."""
    up, down = rng.permutation(SIDES)
    turns = arm(p, up, rng.uniform(115, 150), 0, rng.uniform(20, 60))
    turns |= arm(p, down, rng.uniform(8, 20), 0, 10)
    return turns | {"head": (0, 0, rng.uniform(-20, 20))}


def reach(p: Person, rng: np.random.Generator) -> Turns:
    """Both arms ahead, one foot in front."""
    s, ahead, behind = rng.uniform(8, 18), *rng.permutation(SIDES)
    turns = leg(ahead, s, 5) | leg(behind, -s, 10, -5) | {"torso": (rng.uniform(0, 20), 0, 0)}
    for side in SIDES:
        turns |= arm(p, side, rng.uniform(4, 16), -rng.uniform(70, 100), rng.uniform(0, 25))
    return turns


def squat(p: Person, rng: np.random.Generator) -> Turns:
    """Knees bent, arms ahead for balance."""
    lift = rng.uniform(70, 95)
    turns = {"hips": (18, 0, 0), "torso": (12, 0, 0), "head": (-20, 0, 0)}
    for side in SIDES:
        turns |= leg(side, lift + 10, 1.35 * lift, 0.35 * lift - 8, 14)
        turns |= arm(p, side, 8, -rng.uniform(75, 95), 10)
    return turns


def bow(p: Person, rng: np.random.Generator) -> Turns:
    """The trunk bends forwards, the arms hang."""
    lean = rng.uniform(35, 60)
    turns = {"hips": (0.4 * lean, 0, 0), "torso": (0.6 * lean, 0, 0), "head": (0.2 * lean, 0, 0)}
    for side in SIDES:
        turns |= leg(side, 0.4 * lean, 0) | arm(p, side, 8, -0.7 * lean, 10)
    return turns


def lunge(p: Person, rng: np.random.Generator) -> Turns:
    """A step to one side with the arms apart."""
    bent, straight = rng.permutation(SIDES)
    s = rng.uniform(28, 42)
    turns = leg(bent, 35, 62, 20, 0.8 * s) | leg(straight, 0, 0, 0, s)
    for side in SIDES:
        turns |= arm(p, side, rng.uniform(50, 110), -10, rng.uniform(0, 40))
    return turns | both("{}_hand")


POSES: dict[str, Callable[[Person, np.random.Generator], Turns]] = {
    f.__name__: f for f in (stand, walk, run, sit, arms_up, t_pose, wave, reach, squat, bow, lunge)
}
