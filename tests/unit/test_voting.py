"""Several labelled sources that vote: against a plain loop, by hand, and through the stages."""

import json
from collections import defaultdict

import numpy as np
import pytest
from test_failed_truth import BROKEN, LABELS, Chain, colourful

from semcorr.errors import UserError
from semcorr.evaluation.tables import render
from semcorr.evaluation.voting import voting_groups
from semcorr.stages.matched.coseg_labels import part_names
from semcorr.stages.matched.coseg_votes import score_votes
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.transfer.voting import vote_labels

NEARLY_ALL = 0.9  # IoU of equal blocks: samples beside an edge land beyond it


def plain_votes(labels, confidence):
    """Count the votes of one element after the other."""
    winners = []
    for said, weights in zip(np.transpose(labels), np.transpose(confidence), strict=True):
        tally = defaultdict(lambda: [0.0, 0, 0])
        for voter, (label, weight) in enumerate(zip(said, weights, strict=True)):
            if label >= 0:
                entry = tally[label]
                entry[2] = entry[2] if entry[1] else -voter
                entry[0], entry[1] = entry[0] + weight, entry[1] + 1
        winners.append(max(tally, key=lambda label: tuple(tally[label]), default=-1))
    return np.array(winners)


@pytest.mark.parametrize("levels", [1, 2, 3, 1000])
def test_votes_equal_a_plain_count(levels):
    """Few levels of confidence: ties of sums, of heads, and of both."""
    generator = np.random.default_rng(levels)
    labels = generator.integers(-1, 4, (5, 600))
    confidence = generator.integers(0, levels, (5, 600)) / levels
    found = vote_labels(labels, confidence)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, plain_votes(labels, confidence))
    assert (found == -1).any() == (labels < 0).all(axis=0).any()


@pytest.mark.parametrize(
    ("labels", "confidence", "winner"),
    [
        ([2, 2, 5], [0.3, 0.3, 0.9], 5),  # one that is sure against two that are not
        ([2, 2, 5], [0.5, 0.5, 0.9], 2),
        ([5, 2, 2], [1.0, 0.5, 0.5], 2),  # equal sums: more heads
        ([5, 2, 7], [0.5, 0.5, 0.5], 5),  # equal sums and heads: the first voter
        ([-1, 7, 2], [0.9, 0.0, 0.0], 7),  # who abstains has no weight
        ([-1, -1, -1], [1.0, 1.0, 1.0], -1),
    ],
)
def test_votes_by_hand(labels, confidence, winner):
    assert vote_labels(np.array([labels]).T, np.array([confidence]).T).tolist() == [winner]


def test_weights_of_half_precision_are_summed_exactly():
    """1 + 1/2048 is 1 in half precision, in which maps store their confidence."""
    confidence = np.array([[1.0], [1.0], [1 / 2048]], np.float16)
    assert vote_labels(np.array([[3], [1], [1]]), confidence).tolist() == [1]


@pytest.mark.parametrize(
    ("confidence", "message"),
    [
        ([[0.5]], r"confidence: expected \(2, 1\) \(k, n\), got \(1, 1\)"),
        ([[0.5], [-0.1]], "finite numbers >= 0"),
        ([[0.5], [np.nan]], "finite numbers >= 0"),
    ],
)
def test_votes_that_do_not_fit_are_refused(confidence, message):
    with pytest.raises(ValueError, match=message):
        vote_labels(np.array([[1], [1]]), np.array(confidence))
    # who abstains may say anything
    assert vote_labels(np.array([[1], [-1]]), np.array([[0.5], [np.nan]])).tolist() == [1]


def test_every_source_is_in_equally_many_groups_and_first_once():
    sources = ["a", "b", "c", "d"]
    for voters in (1, 2, 3):
        groups = voting_groups(sources, voters)
        assert [group[0] for group in groups] == sources
        assert all(len(set(group)) == voters for group in groups)
        members = [name for group in groups for name in group]
        assert {members.count(name) for name in sources} == {voters}
    for voters in (4, 9, "all"):
        assert voting_groups(sources, voters) == [tuple(sources)]
    assert voting_groups([], 2) == voting_groups([], "all") == []


# --- through the stages --------------------------------------------------------------------------


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def opened(chain, method):
    return PosePairs.open(**chain.plan.pose_inputs(method, "blocks", "aligned"))


def chain_of_three(work, **keys):
    """Blocks a, b, c with labels that are turned over in b, and the target d."""
    return Chain(work, sources=("a", "b", "c"), **keys)


def test_loops_over_pairs_and_targets_show_where_they_are(work, capsys):
    pairs = opened(chain_of_three(work, targets=["d"]).maps(), "spatial")
    capsys.readouterr()
    assert len(list(pairs.pairs())) == 3
    assert "3/3 [" in (shown := capsys.readouterr().err) and "pair/s]" in shown
    assert len(list(pairs.by_target())) == 1
    assert "1/1 [" in (shown := capsys.readouterr().err) and "target/s]" in shown
    assert pairs.map_of("a", "d") is not None
    assert capsys.readouterr().err == "", "a single look-up is no loop"


@pytest.mark.parametrize("method", ["spatial", "random"])
def test_a_single_voter_is_the_single_source(work, method):
    chain = chain_of_three(work)
    chain.write("labels", "b", LABELS | {"faces": [1, 0, 1, 1, 0, 0]})
    chain.write("labels", "c", {"names": ["leg", "seat"], "faces": [0, 1, 0, 0, 1, 1]})
    chain.maps().scores()
    table = json.load(open("results/coseg/blocks.json"))["methods"][method]["aligned"]
    pairs = opened(chain, method)
    (voted,) = score_votes(pairs, part_names(pairs), [1], 0).values()
    alone = {(row["source"], row["target"]): row["mean_iou"] for row in table["targets"]}
    assert {(*row["sources"], row["target"]): row["mean_iou"] for row in voted["targets"]} == alone
    for key in ("mean_iou", "mean_iou_area", "mean_iou_paper", "parts", "coverage"):
        assert voted[key] == table[key], key


def test_two_that_are_right_outvote_one_that_is_wrong(work):
    chain = chain_of_three(work, votes=[2, "all"], targets=["d"])
    chain.write("labels", "b", LABELS | {"faces": [1, 0, 1, 1, 0, 0]})
    summary = chain.maps().scores()
    # equal blocks: maps are perfect but for samples beside an edge
    assert summary["mean_iou"] == pytest.approx(2 / 3, abs=0.03)
    assert list(summary["votes"]) == ["2", "all"]
    everyone = summary["votes"]["all"]
    (row,) = everyone["targets"]
    assert (row["sources"], row["target"]) == (["a", "b", "c"], "d")
    assert row["mean_iou"] == everyone["mean_iou"] == everyone["ci95"][0] > NEARLY_ALL
    assert everyone["coverage"] == 1.0
    of_two = {tuple(r["sources"]): r["mean_iou"] for r in summary["votes"]["2"]["targets"]}
    assert of_two.keys() == {("a", "b"), ("b", "c"), ("c", "a")}
    # a and c agree; b against one other is a matter of confidence
    assert of_two["c", "a"] > NEARLY_ALL > max(of_two["a", "b"], of_two["b", "c"])


def test_a_part_counts_that_any_voter_has(work):
    chain = chain_of_three(work, votes=["all"], targets=["d"])
    for name in ("a", "b"):
        chain.write("labels", name, {"names": ["seat"], "faces": [0, None, 0, 0, None, None]})
    summary = chain.maps().scores()
    assert summary["coverage"] == round(4 / 6, 6)
    assert summary["votes"]["all"]["coverage"] == 1.0
    parts = summary["votes"]["all"]["parts"]
    # c alone knows the back: a and b abstain there
    assert parts.keys() == {"back", "seat"} and min(parts.values()) > NEARLY_ALL


def test_sources_without_labels_or_maps_do_not_vote(work):
    chain = chain_of_three(work, votes=["all"], targets=["d"])
    chain.write("labels", "a", None)
    (chain.root / "b.obj").write_text("")
    summary = chain.maps().scores(min_coverage=0.3)
    # a cannot vote at all, b is lost: c decides alone
    (row,) = summary["votes"]["all"]["targets"]
    assert row["sources"] == ["b", "c"] and row["mean_iou"] > NEARLY_ALL


@pytest.mark.parametrize("lost", ["d", ("a", "b", "c")])
def test_votes_that_cannot_be_counted_lower_coverage(work, lost):
    chain = chain_of_three(work, votes=[2, "all"], targets=["d"])
    for name in lost:
        chain.write("labels", name, BROKEN)
    summary = chain.maps().scores(min_coverage=0.0)
    for voted in summary["votes"].values():
        assert (voted["coverage"], voted["mean_iou"], voted["targets"]) == (0.0, None, [])


def test_tables_charts_and_sheets_show_the_votes(work):
    chain = chain_of_three(work, votes=[2, "all"])
    chain.maps().scores()
    text = render(json.load(open("results/coseg/blocks.json")))
    rows = [line.split("  ")[0] for line in text.splitlines()[2:]]
    assert rows == [
        *("spatial", "spatial, 2 vote", "spatial, all vote"),
        *("random", "random, 2 vote", "random, all vote"),
    ]
    pictures = chain.pictures()
    assert pictures["scores"].height > 1.5 * plain_chart_height(work)
    assert colourful(pictures["votes"]) > 1000
    assert pictures["votes"].width >= pictures["parts"].width


@pytest.mark.parametrize("labels", [None, BROKEN])
def test_the_sheet_shows_the_votes_for_a_target_without_labels(tmp_path, monkeypatch, labels):
    colours = []
    for content in (LABELS, labels):
        folder = tmp_path / str(len(colours))
        folder.mkdir()
        monkeypatch.chdir(folder)
        chain = chain_of_three(folder, votes=[2, "all"], targets=["d"])
        chain.write("labels", "d", content)
        chain.maps().scores(min_coverage=0.0)
        colours.append(colourful(chain.pictures()["votes"]))
    # of three sources, the truth and two methods the truth alone is missing
    assert 0.7 < colours[1] / colours[0] < 0.9


def plain_chart_height(work):
    """Height of the chart of the same methods without votes."""
    from PIL import Image

    from semcorr.report.curves import Score, score_table

    path = work / "plain.png"
    path.write_bytes(score_table({m: {"aligned": Score(0.5)} for m in ("spatial", "random")}))
    return Image.open(path).height


def test_without_votes_nothing_of_them_is_there(work):
    chain = chain_of_three(work)
    assert "votes" not in chain.maps().scores()
    inputs = chain.plan.sheet_inputs("coseg", "blocks", "aligned")
    from semcorr.stages import sheets

    job = chain._job(inputs, {"votes": "results/votes.png"}, chain.plan.sheet_cfg("blocks"))
    with pytest.raises(UserError, match="coseg.blocks: no `votes` to draw"):
        sheets.main(job)
    assert not any("votes" in path for path in chain.plan.figures())
    voting = chain_of_three(work / "again", votes=["all"])
    assert "results/figures/coseg/blocks/aligned_votes.png" in voting.plan.figures()


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        ([4], "votes: 4 cannot vote, there are 3 sources"),
        ([1], "votes"),
        (["most"], "votes"),
        ([True], "votes"),
        ([2.0], "votes"),
    ],
)
def test_other_numbers_of_voters_are_refused_with_the_key(work, votes, message):
    with pytest.raises(UserError, match=f"coseg.blocks.*{message}"):
        chain_of_three(work, votes=votes)
