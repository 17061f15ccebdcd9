"""The films among the samples are those that their script makes."""

from io import BytesIO
from typing import Any

import av
import numpy as np
import pytest

from sample_films import FILMS, FRAMES, RATE, SIZE, WAYS, film, pictures

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def frames_of(data: bytes) -> list[Pixels]:
    with av.open(BytesIO(data), "r") as container:
        assert container.streams.audio == ()
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def difference(one: Pixels, other: Pixels) -> float:
    """The mean over pixels and colours; a picture and its neighbour in a film are 5.9 apart or more."""
    return float(np.abs(one.astype(np.float32) - other).mean())


def test_all_are_there_and_no_others() -> None:
    assert {path.name for path in FILMS.iterdir()} == set(WAYS)


@pytest.mark.parametrize("name", WAYS)
def test_a_film_shows_its_way_over_the_photo(name: str) -> None:
    """Encoders change from version to version, so it is not bytes that are compared."""
    data = (FILMS / name).read_bytes()
    assert len(data) < 100_000
    drawn = [np.asarray(picture) for picture in pictures(name)]
    shown, again = frames_of(data), frames_of(film(name))
    assert len(shown) == len(drawn) == len(again) == FRAMES
    assert 3 <= FRAMES / RATE <= 4
    assert {frame.shape for frame in shown} == {(*SIZE[::-1], 3)}
    for made in (shown, again):
        assert max(difference(one, other) for one, other in zip(made, drawn, strict=True)) < 5.5
    assert difference(shown[0], shown[-1]) > 12
