"""Hidden states of the structured-latent flow network."""

from typing import ClassVar, Literal

from pydantic import Field

from semcorr.config.kinds import hnsr

SECTION = "features"


class Options(hnsr.Options):
    """Single-step features as in `hnsr`, of structured latents; the sites of a shape get them."""

    FORM: ClassVar[Literal["sites"]] = "sites"
    LATENT_FORM: ClassVar[str] = "sparse"

    kind: Literal["slat_states"]
    normalise: Literal["published", "none"] = Field(
        "published",
        description="mean and spread of latents that the flow network was trained with"
        " (published: of the released encoder, 8 channels)",
    )
