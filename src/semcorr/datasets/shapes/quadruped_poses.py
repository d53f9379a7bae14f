"""Poses of four-legged animals: angles of the bones, drawn with some spread.

Turns about x: positive ones lower the head and swing legs backwards.
"""

from collections.abc import Callable

import numpy as np

from semcorr.datasets.shapes.articulated import Turns, both
from semcorr.datasets.shapes.quadruped_plan import Animal


def _leg(end: str, side: str, top: float, middle: float = 0.0, low: float = 0.0, foot: float = 0.0):
    """Turns of one leg from the body downwards, degrees."""
    first = "shoulder" if end == "front" else "thigh"
    names = (first, "upper", "lower", "foot")
    angles = (top, middle, low, foot)
    return {f"{side}_{end}_{n}": (x, 0.0, 0.0) for n, x in zip(names, angles, strict=True)}


def walk(a: Animal, rng: np.random.Generator) -> Turns:
    """Diagonal legs swing together."""
    s = rng.uniform(14, 24)
    way = rng.choice(("left", "right"))
    other = "right" if way == "left" else "left"
    turns = _leg("front", way, -s, 0, 4, 6) | _leg("back", other, -s, 6, 6, 4)
    turns |= _leg("front", other, 0.6 * s, 0, 0.8 * s, 10) | _leg("back", way, s, 0, 0.6 * s, 10)
    turns |= {"neck": (rng.uniform(-6, 10), 0, 0), "tail": (0, 0, rng.uniform(-20, 20))}
    return turns


def gallop(a: Animal, rng: np.random.Generator) -> Turns:
    """Front legs reach ahead, hind legs push behind, or all are gathered below."""
    s = rng.uniform(28, 46)
    turns = {"neck": (rng.uniform(6, 22), 0, 0), "tail": (rng.uniform(20, 45), 0, 0)}
    # legs that are shorter than the chest is deep would vanish in it when gathered
    if rng.random() < 0.6 or a.joints < 0.6:
        for side, more in (("left", 0), ("right", 10)):
            turns |= _leg("front", side, -s - more, 0, 10, 20)
            turns |= _leg("back", side, s + 0.6 * more, 5, -5, 20)
        return turns
    for side, more in (("left", 0), ("right", 12)):
        turns |= _leg("front", side, 0.6 * s + more, 0, 45, 30)
        turns |= _leg("back", side, -s - more, 15, 20, 10)
    return turns


def eating(a: Animal, rng: np.random.Generator) -> Turns:
    """The head goes down to the ground."""
    down = a.neck_angle + rng.uniform(30, 50)
    head = -0.55 * down + rng.uniform(0, 15)
    return {
        "neck": (0.6 * down, 0, 0),
        "neck_top": (0.4 * down, 0, 0),
        "head": (head, 0, 0),
        **_leg("front", rng.choice(("left", "right")), -rng.uniform(5, 15)),
    }


def looking(a: Animal, rng: np.random.Generator) -> Turns:
    """The head turns to one side, the tail to the other."""
    s = rng.uniform(25, 45) * rng.choice((-1, 1))
    return {
        "neck": (rng.uniform(-8, 8), 0, 0.5 * s),
        "neck_top": (0, 0, 0.6 * s),
        "head": (rng.uniform(-10, 10), 0, 0.6 * s),
        "tail": (0, 0, 1.1 * s),
        "tail_end": (0, 0, 0.8 * s),
    }


def sitting(a: Animal, rng: np.random.Generator) -> Turns:
    """Rump down, chest up, as a dog sits."""
    lean = rng.uniform(28, 42)
    turns = {"body": (-lean, 0, 0), "neck": (0.6 * lean, 0, 0), "head": (0.3 * lean, 0, 0)}
    turns["tail"] = (0.8 * lean, 0, 0)
    for side in ("left", "right"):
        turns |= _leg("front", side, lean, -4, 2, 0)
        turns |= _leg("back", side, lean - 68, 112, -112, 68)
    return turns


def rearing(a: Animal, rng: np.random.Generator) -> Turns:
    """On the hind legs."""
    lean = rng.uniform(35, 55)
    turns = {"body": (-lean, 0, 0), "neck": (0.4 * lean, 0, 0), "head": (0.2 * lean, 0, 0)}
    for side, more in (("left", 0), ("right", rng.uniform(5, 20))):
        turns |= _leg("front", side, -5 - more, -20, 60, 30)
        turns |= _leg("back", side, lean - 8 + 0.5 * more, -4, 4, 0)
    return turns


def stretching(a: Animal, rng: np.random.Generator) -> Turns:
    """Front legs ahead on the ground, rump up."""
    lean = rng.uniform(14, 24)
    turns = {"body": (lean, 0, 0), "neck": (-lean - 6, 0, 0)}
    turns["tail"] = (-rng.uniform(10, 40), 0, 0)
    for side in ("left", "right"):
        turns |= _leg("front", side, -2.6 * lean, -0.4 * lean, 0.5 * lean, 0.5 * lean)
        turns |= _leg("back", side, -lean)
    return turns | both("{}_back_thigh", x=-lean, y=-4)


POSES: dict[str, Callable[[Animal, np.random.Generator], Turns]] = {
    f.__name__: f for f in (walk, gallop, eating, looking, sitting, rearing, stretching)
}
