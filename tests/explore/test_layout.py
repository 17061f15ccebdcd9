"""Layouts of maps: what is alike lies together, the same on every run, for every number of vectors."""

import numpy as np
import pytest

from neighbourhoods import kept, trustworthiness
from vecmod.explore.layout import lay_out, likeness
from vecmod.explore.projection import Floats, main_directions, neighbours

RANDOM = np.random.default_rng(7)


def groups(number: int, each: int, dim: int = 128) -> Floats:
    """Vectors in groups around random directions, as those of pictures are."""
    centres = RANDOM.normal(size=(number, dim))
    within = RANDOM.normal(size=(number * each, 12)) @ RANDOM.normal(size=(12, dim)) * 0.12
    vectors = np.repeat(centres, each, axis=0) + within + RANDOM.normal(size=(number * each, dim)) * 0.1
    return vectors.astype(np.float32)


def test_neighbours_stay_neighbours_where_principal_components_lose_them() -> None:
    vectors = groups(40, 20)
    laid, flat = lay_out(vectors), main_directions(vectors, 2)
    assert trustworthiness(vectors, laid) > 0.97
    assert trustworthiness(vectors, flat) < 0.9
    assert kept(vectors, laid) > 1.8 * kept(vectors, flat)


def test_groups_do_not_mix() -> None:
    laid = lay_out(groups(10, 30))
    group = np.repeat(np.arange(10), 30)
    near = neighbours(laid, 5).which
    assert (group[near] == group[:, None]).mean() > 0.99


def test_the_same_vectors_give_the_same_map() -> None:
    vectors = groups(10, 20)
    np.testing.assert_array_equal(lay_out(vectors), lay_out(vectors))


def test_lengths_do_not_matter() -> None:
    vectors = groups(10, 20)
    stretched = vectors * RANDOM.uniform(0.1, 10, (200, 1)).astype(np.float32)
    assert trustworthiness(vectors, lay_out(stretched)) > 0.9


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 6, 7, 12, 16, 17, 40])
def test_few_vectors(number: int) -> None:
    laid = lay_out(groups(20, 2)[:number])
    assert laid.shape == (number, 2)
    assert laid.dtype == np.float32
    assert np.isfinite(laid).all()
    assert ((laid >= 0) & (laid <= 1)).all()
    assert len(np.unique(laid, axis=0)) == number
    if number > 1:
        assert np.ptp(laid, axis=0).max() == pytest.approx(1)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_few_dimensions(dim: int) -> None:
    laid = lay_out(RANDOM.normal(size=(60, dim)).astype(np.float32))
    assert np.isfinite(laid).all()


def test_equal_vectors_lie_on_each_other() -> None:
    assert (lay_out(np.ones((30, 8), np.float32)) == 0.5).all()
    laid = lay_out(np.repeat(groups(3, 1), 20, axis=0))
    assert np.isfinite(laid).all()
    centres = laid.reshape(3, 20, 2).mean(axis=1)
    assert np.abs(laid.reshape(3, 20, 2) - centres[:, None]).max() < np.linalg.norm(centres[0] - centres[1])


def test_neighbours_are_the_nearest_in_their_order() -> None:
    points = RANDOM.normal(size=(2100, 9)).astype(np.float32)
    found = neighbours(points, 7)
    for one in (0, 999, 1000, 2099):
        far = np.linalg.norm(points - points[one], axis=1)
        far[one] = np.inf
        assert found.which[one].tolist() == np.argsort(far)[:7].tolist()
        np.testing.assert_allclose(found.distance[one], np.sort(far)[:7], rtol=1e-3)


def test_main_directions_are_those_of_an_exact_decomposition() -> None:
    vectors = groups(30, 10)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = np.linalg.svd(units - units.mean(axis=0), compute_uv=False)[:8]
    found = main_directions(vectors, 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), exact, rtol=1e-3)
    np.testing.assert_allclose(found.T @ found, np.diag(exact**2), atol=1e-3 * exact[0] ** 2)


def test_likeness_goes_both_ways_and_is_a_share() -> None:
    graph = likeness(neighbours(groups(10, 10), 6))
    edges = zip(graph.head.tolist(), graph.tail.tolist(), graph.weight.tolist(), strict=True)
    weights = {(head, tail): weight for head, tail, weight in edges}
    assert all(weights[tail, head] == pytest.approx(weight) for (head, tail), weight in weights.items())
    assert all(0 < weight <= 1 + 1e-6 for weight in weights.values())
    assert set(graph.head.tolist()) == set(range(100))
    assert (np.diff(graph.head) >= 0).all()
