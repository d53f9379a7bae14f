"""A hash of the code that a stage runs, blind to comments, formatting, touches and checkouts.

Snakemake does not see imported modules; this value, given to rules as the parameter `code`, does. It is
the hash of the syntax trees (docstrings dropped) of a module and, transitively, of the package modules it
imports. A module that defines `VERSION = n` stands for itself and for all that it imports: expensive stages
are invalidated by raising that number, not by any edit.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent
PACKAGE = "semcorr"
# What these change shows in `cfg`, never in what is computed from one
LEFT_OUT = ("semcorr.config", "semcorr.fingerprint")
# Shows in pictures alone, except for stages whose results are coloured meshes
PICTURES = "semcorr.report"
MESH_STAGES = frozenset({"semcorr.stages.export"})


def fingerprint(*modules: str) -> str:
    """Return a short hash of the code behind `modules`.

    Args:
        modules: dotted names, e.g. "semcorr.stages.features", "semcorr.features.lifted".

    Raises:
        ModuleNotFoundError: a named module has no source file.
    """
    total = hashlib.sha256()
    for name in sorted(_closure(modules)):
        total.update(f"{name}={_module_digest(name)}\n".encode())
    return total.hexdigest()[:16]


def _closure(modules: tuple[str, ...]) -> set[str]:
    left_out = LEFT_OUT if MESH_STAGES.intersection(modules) else (*LEFT_OUT, PICTURES)
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in seen or name.startswith(left_out):
            continue
        if _source(name) is None:
            raise ModuleNotFoundError(f"no source of {name!r} under {ROOT}")
        seen.add(name)
        if _version(name) is None:
            waiting.extend(_imports(name))
    return seen


@cache
def _source(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _tree(name: str) -> ast.Module:
    tree = ast.parse(_source(name).read_text(), filename=str(_source(name)))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0] = ast.Pass()
    return tree


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def _version(name: str) -> int | None:
    for node in _tree(name).body:
        if (
            isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == "VERSION" for t in node.targets)
            and isinstance(node.value, ast.Constant)
        ):
            return node.value.value
    return None


@cache
def _module_digest(name: str) -> str:
    version = _version(name)
    if version is not None:
        return f"version {version}"
    return hashlib.sha256(ast.dump(_tree(name)).encode()).hexdigest()


@cache
def _imports(name: str) -> tuple[str, ...]:
    found: set[str] = set()
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            found.update(a.name for a in node.names if _is_ours(a.name))
        elif isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            found.add(node.module)
            children = (f"{node.module}.{a.name}" for a in node.names)
            found.update(child for child in children if _source(child))
    return tuple(sorted(n for n in found if _source(n)))


def _is_ours(name: str) -> bool:
    return name == PACKAGE or name.startswith(PACKAGE + ".")
