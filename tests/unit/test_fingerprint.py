import pytest

from semcorr import fingerprint as module


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROOT", tmp_path)
    files = {
        "stage.py": '"""Doc."""\nfrom semcorr.low import f\n\n\ndef main():\n    """Do."""\n    return f()\n',
        "low.py": "def f():\n    return 1\n",
        "other.py": "x = 1\n",
        "config.py": "a = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    clear()
    yield tmp_path
    clear()


def clear():
    for name in ("_source", "_tree", "_version", "_module_digest", "_imports"):
        getattr(module, name).cache_clear()


def value():
    clear()
    return module.fingerprint("semcorr.stage")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_logic_of_the_stage_and_of_what_it_imports_changes_it(package):
    before = value()
    edit(package / "low.py", "return 1", "return 2")
    middle = value()
    edit(package / "stage.py", "return f()", "return f() + 1")
    assert len({before, middle, value()}) == 3


def test_comments_docstrings_formatting_and_touches_do_not(package):
    before = value()
    edit(package / "stage.py", '"""Do."""', '"""Do something else."""  # why')
    edit(package / "low.py", "return 1", "return (1)\n\n# the end")
    (package / "low.py").touch()
    assert value() == before


def test_modules_that_are_not_imported_do_not(package):
    before = value()
    edit(package / "other.py", "x = 1", "x = 2")
    assert value() == before


def test_configuration_is_left_out(package):
    edit(package / "stage.py", "from semcorr.low", "from semcorr.config import a\nfrom semcorr.low")
    before = value()
    edit(package / "config.py", "a = 1", "a = 2")
    assert value() == before


def test_what_draws_counts_only_where_it_writes_results(package, monkeypatch):
    edit(package / "stage.py", "from semcorr.low", "from semcorr.report import b\nfrom semcorr.low")
    (package / "report.py").write_text("from semcorr.other import x as b\n")
    before = value()
    edit(package / "report.py", "import x", "import x  as b, x")
    assert value() == before
    monkeypatch.setattr(module, "MESH_STAGES", frozenset({"semcorr.stage"}))
    middle = value()
    edit(package / "other.py", "x = 1", "x = 2")
    assert len({before, middle, value()}) == 3


def test_imports_inside_functions_count(package):
    edit(
        package / "stage.py", "    return f()", "    from semcorr import other\n    return other.x"
    )
    before = value()
    edit(package / "other.py", "x = 1", "x = 3")
    assert value() != before


def test_a_version_stands_for_the_module_and_all_that_it_imports(package):
    edit(package / "stage.py", "def main", "VERSION = 1\n\n\ndef main")
    before = value()
    edit(package / "low.py", "return 1", "return 5")
    edit(package / "stage.py", "return f()", "return f() + 9")
    assert value() == before
    edit(package / "stage.py", "VERSION = 1", "VERSION = 2")
    assert value() != before


def test_a_missing_module_is_named(package):
    with pytest.raises(ModuleNotFoundError, match="semcorr.nothing"):
        module.fingerprint("semcorr.nothing")


@pytest.fixture
def unpinned(monkeypatch):
    """The real package as if no module pinned a version: everything that is imported counts."""
    clear()
    monkeypatch.setattr(module, "_version", lambda name: None)
    return module._closure


def test_a_registry_entry_is_code_of_those_that_name_it_alone(unpinned):
    for kind in ("lifted", "hnsr"):
        names = unpinned((f"semcorr.features.{kind}",))
        assert "semcorr.networks.backbones" in names
        assert not any(name.startswith("semcorr.networks.zoo.") for name in names)
    named = unpinned(("semcorr.networks.zoo.tiny_vit",))
    assert named == {"semcorr.networks.zoo.tiny_vit", "semcorr.networks.backbone_spec"}


def test_coloured_meshes_rest_on_their_writers_and_pictures_on_what_is_shown(unpinned):
    names = unpinned(("semcorr.stages.export",))
    writers = {
        f"semcorr.report.{name}" for name in ("exports", "glb", "textured", "png", "colours")
    }
    assert writers == {name for name in names if name.startswith("semcorr.report.")}
    assert "semcorr.rendering.raycast" not in names, "no picture is drawn"
    names = unpinned(("semcorr.stages.sheets",))
    assert not any(name.startswith("semcorr.report") for name in names)


def test_latents_rest_on_no_image_network(unpinned):
    names = unpinned(("semcorr.stages.latents", "semcorr.features.trellis_ss"))
    assert not any("backbone" in name or "zoo" in name or "dino" in name for name in names), names
