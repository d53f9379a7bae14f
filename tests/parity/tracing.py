"""Which functions of semcorr ran, and who called them: a profile hook of the interpreter."""

import sys
from collections.abc import Iterable
from importlib import import_module
from inspect import unwrap
from pathlib import Path
from types import CodeType, FrameType

import semcorr

PACKAGE = Path(semcorr.__file__).parent
STAGES = PACKAGE / "stages"


def code_of(function: str) -> CodeType:
    """Return the code of `module:qualified name` (module without `semcorr.`), under its decorators."""
    module, name = function.split(":")
    found = import_module(f"semcorr.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    if isinstance(found, property):
        found = found.fget
    return unwrap(found).__code__


def name_of(code: CodeType) -> str:
    """Return `module:qualified name` of code of the package."""
    module = ".".join(Path(code.co_filename).relative_to(PACKAGE).with_suffix("").parts)
    return f"{module}:{code.co_qualname}"


class _Hook:
    """Base: between `with` and its end every call of a Python function is looked at."""

    def __enter__(self):
        self._before = sys.getprofile()
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_):
        sys.setprofile(self._before)

    def _look(self, frame: FrameType, event: str, _) -> None:
        if event == "call":
            self.called(frame)

    def called(self, frame: FrameType) -> None:
        raise AssertionError("a hook says what it does with a call")


class DirectCalls(_Hook):
    """Collects the functions of the package that one file calls itself.

    A call through a decorator or a torch module counts as the file's own. Constructors of plain
    records are no functions.

    Attributes:
        functions: names found.
    """

    def __init__(self, file: str):
        self._file = file
        self.functions: set[str] = set()

    def called(self, frame: FrameType) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(str(PACKAGE)) or code.co_name.startswith("__"):
            return
        caller = frame.f_back
        while caller and _passes_on(caller.f_code.co_filename):
            caller = caller.f_back
        if caller and caller.f_code.co_filename == self._file:
            self.functions.add(name_of(code))


def _passes_on(file: str) -> bool:
    return "/site-packages/torch/" in file or file.endswith("/contextlib.py")


class StageCalls(_Hook):
    """Collects the stages under whose `main` given functions are called.

    Attributes:
        stages: function -> names of the stages.
    """

    def __init__(self, functions: Iterable[str]):
        self._wanted = {code_of(function): function for function in functions}
        self.stages: dict[str, set[str]] = {function: set() for function in self._wanted.values()}

    def called(self, frame: FrameType) -> None:
        function = self._wanted.get(frame.f_code)
        while function and frame:
            code = frame.f_code
            if code.co_name == "main" and Path(code.co_filename).parent == STAGES:
                self.stages[function].add(Path(code.co_filename).stem)
                return
            frame = frame.f_back
