from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.augment import cutout, shifted, sides, translate


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), reach=st.integers(0, 5))
def test_each_image_is_a_shift_of_itself_or_of_its_mirror(seed: int, reach: int) -> None:
    images = torch.randint(1, 256, (3, 2, 7, 9), generator=generator(seed), dtype=torch.uint8)
    out = translate(images, reach, generator(seed), sides(3, seed, 0))
    assert out.shape == images.shape
    assert out.dtype == images.dtype
    padded = torch.nn.functional.pad(images, (reach,) * 4)
    for before, after in zip(padded, out, strict=True):
        views = [
            side[:, y : y + 7, x : x + 9]
            for y in range(2 * reach + 1)
            for x in range(2 * reach + 1)
            for side in (before, before.flip(2))
        ]
        assert any(torch.equal(view, after) for view in views)


def test_all_shifts_and_both_sides_occur_and_a_seed_repeats() -> None:
    images = torch.zeros(2000, 1, 9, 9, dtype=torch.uint8)
    images[:, 0, 4, 4] = 1
    images[:, 0, 4, 5] = 2
    mirrored = sides(2000, 5, 0)
    out = translate(images, 2, generator(3), mirrored)
    assert torch.equal(out, translate(images, 2, generator(3), mirrored))
    assert not torch.equal(out, translate(images, 2, generator(4), mirrored))
    _, _, rows, columns = torch.nonzero(out == 1, as_tuple=True)
    assert sorted(set(rows.tolist())) == [2, 3, 4, 5, 6]
    assert sorted(set(columns.tolist())) == [2, 3, 4, 5, 6]
    two = torch.nonzero(out == 2)[:, 3]
    assert torch.equal(two < columns, mirrored)
    assert 0.4 < float(mirrored.float().mean()) < 0.6


def test_epochs_in_turn_show_both_sides_and_a_seed_decides() -> None:
    first, second, third = (sides(100, 3, epoch) for epoch in range(3))
    assert torch.equal(first, ~second)
    assert torch.equal(first, third)
    assert not torch.equal(first, sides(100, 4, 0))


def test_given_shifts_are_those_of_the_mirrored_image() -> None:
    image = torch.arange(1, 13).view(1, 1, 3, 4)
    both = image.expand(2, -1, -1, -1)
    out = shifted(both, torch.tensor([[2, 1], [1, 0]]), torch.tensor([False, True]), 1)
    # One row up; one column to the right, mirrored.
    assert out[0, 0].tolist() == [[5, 6, 7, 8], [9, 10, 11, 12], [0, 0, 0, 0]]
    assert out[1, 0].tolist() == [[0, 4, 3, 2], [0, 8, 7, 6], [0, 12, 11, 10]]


def test_without_flips_the_shifts_are_the_same() -> None:
    images = torch.randint(1, 256, (50, 3, 8, 8), generator=generator(1), dtype=torch.uint8)
    none = torch.zeros(50, dtype=torch.bool)
    mirrored = translate(images, 3, generator(2), ~none)
    plain = translate(images, 3, generator(2), none)
    assert not torch.equal(mirrored, plain)
    assert torch.equal(translate(images, 0, generator(2), none), images)
    # Rows move alike; mirroring only changes the order within them.
    assert torch.equal((mirrored != 0).any(3), (plain != 0).any(3))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.integers(0, 6))
def test_cutout_zeroes_one_rectangle_and_nothing_else(seed: int, size: int) -> None:
    images = torch.ones(4, 3, 8, 8, dtype=torch.uint8)
    out = cutout(images, size, generator(seed))
    assert int(images.sum()) == images.numel()
    for image in out:
        assert torch.equal(image[0], image[1])
        hole = torch.nonzero(image[0] == 0)
        assert len(hole) <= size * size
        if size:
            height, width = (hole.amax(0) - hole.amin(0) + 1).tolist()
            assert len(hole) == height * width
            assert max(height, width) <= size
