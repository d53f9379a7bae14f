"""Aeroplanes: the measures of each type, drawn for one aeroplane.

Lengths are shares of the fuselage's length, which is 1: the nose at y = -0.5, the tail at 0.5.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from semcorr.datasets.shapes import lofts

Range = tuple[float, float]


class Type(NamedTuple):
    """Ranges of a type's measures (see `Aeroplane`) and the constructions that it may have."""

    body: str
    wings: str
    tail: str
    engines: str
    gear: str
    radius: Range
    span: Range
    chord: Range
    taper: Range
    sweep: Range
    dihedral: Range
    place: Range
    tail_span: Range
    fin: Range


# body, wings, tail, engines, gear; radius, span, chord, taper, sweep, dihedral, place, tail span, fin
TYPES = {
    "airliner": Type("tube", "low", "low", "under2 under4 under2", "none", (0.045, 0.065),
                     (0.85, 1.1), (0.17, 0.24), (0.22, 0.38), (22, 36), (3, 8), (-0.14, -0.04),
                     (0.3, 0.4), (0.12, 0.17)),
    "jumbo": Type("tube", "low", "low", "under4", "none", (0.055, 0.075), (0.85, 1.05),
                  (0.22, 0.28), (0.2, 0.3), (30, 40), (4, 8), (-0.16, -0.06), (0.3, 0.38),
                  (0.13, 0.17)),
    "business": Type("tube", "low", "high", "rear2", "none", (0.05, 0.068), (0.8, 1.05),
                     (0.16, 0.22), (0.25, 0.45), (12, 32), (2, 6), (-0.06, 0.04), (0.3, 0.4),
                     (0.14, 0.19)),
    "trijet": Type("tube", "low", "high", "rear3", "none", (0.045, 0.06), (0.75, 0.95),
                   (0.17, 0.22), (0.22, 0.36), (26, 36), (2, 6), (-0.02, 0.06), (0.28, 0.36),
                   (0.15, 0.19)),
    "turboprop": Type("tube", "high", "high low", "props2", "none wheels", (0.05, 0.07),
                      (0.95, 1.25), (0.12, 0.17), (0.4, 0.65), (0, 6), (0, 4), (-0.12, -0.02),
                      (0.3, 0.42), (0.14, 0.2)),
    "freighter": Type("cargo", "high", "high low", "props4 under4", "none", (0.07, 0.095),
                      (1.0, 1.3), (0.15, 0.2), (0.3, 0.55), (0, 22), (-4, 1), (-0.12, -0.02),
                      (0.36, 0.48), (0.17, 0.22)),
    "high_wing": Type("light", "high", "low", "nose", "wheels floats wheels", (0.06, 0.085),
                      (1.2, 1.5), (0.17, 0.22), (0.6, 1.0), (-2, 4), (0, 4), (-0.24, -0.12),
                      (0.36, 0.48), (0.13, 0.19)),
    "low_wing": Type("light", "low mid", "low", "nose", "wheels none", (0.055, 0.08),
                     (1.05, 1.35), (0.18, 0.25), (0.45, 0.9), (0, 8), (3, 8), (-0.26, -0.14),
                     (0.34, 0.46), (0.12, 0.18)),
    "v_tail": Type("light", "low", "vee", "nose", "wheels none", (0.055, 0.075), (1.1, 1.35),
                   (0.17, 0.23), (0.5, 0.8), (0, 6), (4, 8), (-0.24, -0.12), (0.34, 0.44),
                   (0.16, 0.2)),
    "biplane": Type("boxy", "two", "low", "nose", "wheels", (0.065, 0.09), (1.1, 1.4),
                    (0.17, 0.23), (0.85, 1.0), (-3, 8), (0, 4), (-0.24, -0.14), (0.36, 0.48),
                    (0.12, 0.18)),
    "triplane": Type("boxy", "three", "low", "nose", "wheels", (0.06, 0.08), (1.05, 1.25),
                     (0.13, 0.18), (0.9, 1.0), (0, 0.1), (0, 1), (-0.24, -0.16), (0.36, 0.46),
                     (0.1, 0.14)),
    "delta": Type("dart", "delta", "fin", "jet1", "none", (0.05, 0.068), (0.5, 0.7), (0.5, 0.66),
                  (0.03, 0.12), (48, 58), (-2, 1), (-0.2, -0.1), (0.2, 0.3), (0.16, 0.22)),
    "canard": Type("dart", "delta", "canard", "jet1 jet2", "none", (0.05, 0.068), (0.55, 0.75),
                   (0.42, 0.54), (0.05, 0.15), (42, 52), (-2, 1), (-0.06, 0.0), (0.26, 0.36),
                   (0.16, 0.22)),
    "fighter": Type("dart", "mid", "twin", "jet2", "none", (0.055, 0.075), (0.6, 0.78),
                    (0.28, 0.36), (0.2, 0.4), (25, 42), (-3, 1), (-0.1, 0.0), (0.4, 0.52),
                    (0.14, 0.19)),
    "glider": Type("pod", "mid high", "high vee", "none", "none", (0.04, 0.055), (1.9, 2.6),
                   (0.1, 0.15), (0.35, 0.6), (-2, 3), (2, 5), (-0.2, -0.1), (0.34, 0.44),
                   (0.12, 0.17)),
    "bomber": Type("tube", "mid low", "ends", "props2 props4", "none", (0.05, 0.07), (1.15, 1.45),
                   (0.2, 0.27), (0.3, 0.5), (2, 10), (2, 7), (-0.2, -0.08), (0.36, 0.48),
                   (0.12, 0.16)),
    "boom": Type("light", "mid", "ends", "pusher", "wheels none", (0.055, 0.075), (1.0, 1.3),
                 (0.17, 0.24), (0.5, 0.9), (0, 8), (1, 4), (-0.05, 0.05), (0.34, 0.44),
                 (0.13, 0.17)),
    "seaplane": Type("cargo", "high", "high low", "top2", "none", (0.065, 0.085), (1.1, 1.35),
                     (0.15, 0.2), (0.5, 0.9), (0, 5), (0, 3), (-0.16, -0.06), (0.36, 0.46),
                     (0.16, 0.22)),
}  # fmt: skip

# half heights of the fuselage at equal distances from tail to nose, as shares of the radius
PROFILES = {
    "tube": (0.14, 0.5, 0.85, 1.0, 1.0, 1.0, 1.0, 1.0, 0.92, 0.5),
    "cargo": (0.14, 0.45, 0.85, 1.0, 1.0, 1.0, 1.0, 1.0, 0.95, 0.6),
    "light": (0.16, 0.3, 0.45, 0.65, 0.95, 1.0, 0.8, 0.66, 0.5),
    "boxy": (0.14, 0.35, 0.55, 0.75, 0.9, 1.0, 1.0, 0.9, 0.78),
    "dart": (0.62, 0.8, 0.92, 1.0, 1.0, 0.9, 0.7, 0.45, 0.12),
    "pod": (0.2, 0.24, 0.26, 0.3, 0.45, 0.9, 1.0, 0.85, 0.4),
}


@dataclass(frozen=True)
class Aeroplane:
    """Measures of one aeroplane; shares of the fuselage's length, angles in degrees.

    Attributes:
        type, body, wings, tail, engines, gear: names of the constructions.
        radius: half height of the fuselage; breadth: its half width as a share.
        power: roundness of the fuselage, see `lofts.outline`.
        rise: how far the tail cone is drawn up, as a share of the radius.
        span: of the wing; chord: at its root; taper: chord at the tip as a share.
        sweep: of the leading edge; dihedral: rise of the tips.
        thick: thickness of wings as a share of the chord.
        place: y of the leading edge at the middle.
        tail_span: of the stabiliser; fin: height of the fin.
        engine: size of the engines, 1 = usual.
        blades: number of a propeller's blades.
        canopy: has a cockpit canopy.
    """

    type: str
    body: str
    wings: str
    tail: str
    engines: str
    gear: str
    radius: float
    span: float
    chord: float
    taper: float
    sweep: float
    dihedral: float
    place: float
    tail_span: float
    fin: float
    breadth: float
    power: float
    rise: float
    thick: float
    engine: float
    blades: int
    canopy: bool

    def half_height(self, y) -> Float[np.ndarray, " n"]:
        """Half height of the fuselage at y."""
        return self.radius * lofts.smooth(0.5 - np.asarray(y), PROFILES[self.body])

    def middle(self, y) -> Float[np.ndarray, " n"]:
        """Height of the fuselage's centre line at y."""
        return self.rise * self.radius * np.clip((np.asarray(y) - 0.1) / 0.4, 0, 1) ** 2

    def leading(self, x) -> Float[np.ndarray, " n"]:
        """Place (y) of the wing's leading edge at x."""
        return self.place + np.tan(np.radians(self.sweep)) * np.abs(x)

    def chord_at(self, x) -> Float[np.ndarray, " n"]:
        """Chord of the wing at x."""
        return self.chord * (1 + (self.taper - 1) * np.abs(x) / (self.span / 2))

    def wing_height(self, x) -> Float[np.ndarray, " n"]:
        """Height of the (lowest) wing's middle plane at x."""
        level = {"low": -0.62, "two": -0.7, "three": -0.7, "delta": -0.25, "mid": 0.0, "high": 0.84}
        root = level[self.wings] * float(self.half_height(self.place + self.chord / 2))
        return root + np.tan(np.radians(self.dihedral)) * np.abs(x)


def draw(name: str, rng: np.random.Generator) -> Aeroplane:
    """Draw the measures of one aeroplane of a type."""
    kind = TYPES[name]._asdict()
    measures = {key: rng.uniform(*v) for key, v in kind.items() if isinstance(v, tuple)}
    chosen = {key: str(rng.choice(v.split())) for key, v in kind.items() if isinstance(v, str)}
    boxy = chosen["body"] == "boxy"
    return Aeroplane(
        type=name,
        **chosen,
        **measures,
        breadth=rng.uniform(0.7, 0.9) if boxy else rng.uniform(0.85, 1.1),
        power=rng.uniform(3.0, 5.0) if boxy else rng.uniform(2.0, 2.6),
        rise=rng.uniform(0.1, 0.8) if chosen["body"] != "dart" else 0.0,
        thick=rng.uniform(0.09, 0.15) if chosen["wings"] != "delta" else rng.uniform(0.04, 0.06),
        engine=rng.uniform(0.8, 1.25),
        blades=int(rng.integers(2, 5)),
        canopy=chosen["body"] in ("dart", "pod")
        or (chosen["body"] == "light" and rng.random() < 0.8),
    )
