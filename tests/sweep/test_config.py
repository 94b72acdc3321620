import pytest

from sweep.config import Sweep, load
from sweep.errors import ConfigError


def test_the_tiny_sweep_is_read(write):
    sweep = load(write())
    assert sweep.space.networks == ("tiny",)
    assert sweep.space.bits.weights == (1, 2)
    assert sweep.training.rungs == (1, 1)
    assert sweep.space.clocks_mhz == (100.0,)
    assert isinstance(sweep, Sweep)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("builds = 0", "bilds = 0", "search: unknown key bilds; known: trials, builds, images"),
        ("weights = [1, 2]", "weights = []", "space.bits: weights is empty; give one value"),
        (
            "weights = [1, 2]",
            "weights = [9]",
            "space.bits.weights[0] = 9; use a whole number",
        ),
        ("weights = [1, 2]", "weights = 2", "space.bits.weights = 2; use a list of whole numbers"),
        ("seeds = [1, 2]", "seeds = [1, 1]", "space: seeds: 1 is given twice; give it once"),
        ("seeds = [1, 2]", 'seeds = ["a"]', "space.seeds[0] = 'a'; use a whole number"),
        ('["tiny"]', '["teeny"]', "network 'teeny' is not known; use arch1"),
        ('networks = ["tiny"]\n', "", "space: networks is missing; use a list of texts"),
        ("share = 0.3", "share = 1.5", "space.pruning.share = 1.5; use a number above 0, below 1"),
        (
            "block = 2",
            "block = 8",
            "pruning.block = 8 is more than the 4 filters of a layer of tiny",
        ),
        (
            "share = 0.3",
            'schedules = ["folding"]',
            "pruning.schedules: folding has nothing to prune for; give a rate in space.target_fps",
        ),
        ("seeds = [1, 2]", "clocks_mhz = [900]", "clocks_mhz = 900: use 1 to 250 on these boards"),
        ("seeds = [1, 2]", 'boards = ["moon"]', "unknown board 'moon'; known boards: arty-z7-10"),
        ("rungs = [1, 1]", "rungs = [0]", "training.rungs[0] = 0; use a whole number of 1 or more"),
        (
            "rungs = [1, 1]",
            'precision = "int8"',
            "training.precision = 'int8'; use float32 or bfloat16",
        ),
        ("rungs = [1, 1]", "keep = 0.0", "training.keep = 0.0; use a number above 0, of 1 or less"),
        (
            "builds = 0",
            'tool = "openxc7"',
            "use space.budgets = ['openxc7'], or search.tool = 'none'",
        ),
        ("[engine]", "[constraints]\nmin_accuracy = 87.0\n[engine]", "use a share, as 0.87"),
        ("share = 0.3", "share = nan", "space.pruning.share = nan; use a number above 0"),
        (
            "[engine]",
            "[constraints]\nmin_fps = inf\n[engine]",
            "min_fps = inf; use a number",
        ),
        (
            "[engine]",
            "[constraints]\nmin_fps = -1\n[engine]",
            "min_fps = -1.0; use a number above",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_works(write, old, new, message):
    path = write((old, new))
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(ConfigError, match="not found; docs/sweep.md says how to write one"):
        load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[space")
    with pytest.raises(ConfigError, match="not readable as TOML"):
        load(tmp_path / "bad.toml")
