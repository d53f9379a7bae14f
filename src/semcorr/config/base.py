"""What all parts of the configuration share: strictness, names, references, planning keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]


class Strict(BaseModel):
    """Frozen model that refuses unknown keys, so that a misspelt key stops with its full path."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False
    )


@dataclass(frozen=True)
class RefersTo:
    """Marks a field whose value is the name of an entry of another section (or of an asset)."""

    section: str


class Variant(Strict):
    """A named entry: its name is a wildcard and a folder under results/.

    Attributes:
        PLANNING: fields that only decide which jobs exist or where data lie. They are left out of the
            `cfg` parameter of rules, so that changing them reruns nothing by itself.
        TRUTH_ONLY: fields of a data set that only its ground truth reads. They are left out of the `cfg`
            of meshes, so that other labels leave meshes, views and features as they are.
        DOWNLOADED: of a data set: the rule `raw` fetches its items, and meshes are made of them.
    """

    PLANNING: ClassVar[frozenset[str]] = frozenset()
    TRUTH_ONLY: ClassVar[frozenset[str]] = frozenset()
    DOWNLOADED: ClassVar[bool] = False

    def code_modules(self) -> tuple[str, ...]:
        """Return further modules whose code the entry's results rest on, found by name at run time."""
        return ()

    def references(self) -> Iterator[tuple[str, str, str]]:
        """Yield (field, section, name) for every reference to another entry that is set."""
        for field, info in type(self).model_fields.items():
            section = section_referred_to(info)
            if section is not None and getattr(self, field) is not None:
                value = getattr(self, field)
                for name in value if isinstance(value, tuple) else (value,):
                    yield info.alias or field, section, name


def section_referred_to(info: Any) -> str | None:
    """Return the section that a field (its pydantic `FieldInfo`) names an entry of, None for others.

    The mark of an optional field, `Annotated[Name, RefersTo(...)] | None`, lies inside the union.
    """
    waiting = [*info.metadata, info.annotation]
    while waiting:
        part = waiting.pop()
        if isinstance(part, RefersTo):
            return part.section
        waiting += [*getattr(part, "__metadata__", ()), *get_args(part)]
    return None
