"""Names of exported files."""

from semcorr.stages.export import stem_of


def test_ids_become_file_names_that_stay_inside_and_apart():
    ids = ["chair_9_00001", "a/b", "a_b", "../up", "..", ".", "a b", "x", "x.ply", "Stuhl-ü.2"]
    stems = [stem_of(i) for i in ids]
    assert stems[0] == "chair_9_00001" and stems[-1] == "Stuhl-ü.2"
    assert len(set(stems)) == len(ids)
    # targets lie in a folder named after their source, beside the files of other sources
    files = {f"{stem}.{suffix}" for stem in stems for suffix in ("ply", "glb")}
    assert not files & set(stems)
    assert not any("/" in s or s.startswith(".") for s in stems)
