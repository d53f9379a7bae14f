"""Options whose value is the name of a module: what there is, from the files, without importing one."""

import re
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from semcorr.config.base import Name

ROOT = Path(__file__).parents[1]


@cache
def modules_with(folder: str, constant: str) -> tuple[str, ...]:
    """Return the names of the modules of a folder of the package that define a constant, sorted."""
    defined = re.compile(rf"^{constant}\b", re.MULTILINE)
    files = sorted((ROOT / folder).glob("*.py"))
    return tuple(file.stem for file in files if defined.search(file.read_text(encoding="utf-8")))


def _module_of(folder: str, constant: str) -> AfterValidator:
    def check(name: str) -> str:
        there = modules_with(folder, constant)
        if name not in there:
            raise ValueError(f"there is no {name!r}; there are: {', '.join(there)}")
        return name

    return AfterValidator(check)


Category = Annotated[Name, _module_of("datasets/shapes", "CATEGORY")]
Backbone = Annotated[Name, _module_of("networks/zoo", "SPEC")]
