"""Many pictures that are like the sample photos: crops of them, mirrored or not, of other sizes and brightness."""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from pictures import SAMPLES, encoded


def crops(number: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Names such as ``cat/cat-017.jpg`` and JPEGs of 160 pixels a side, in turns of the photos."""
    random = np.random.default_rng(seed)
    photos = {path.stem: Image.open(path).convert("RGB") for path in sorted((SAMPLES / "photos").iterdir())}
    for index in range(number):
        name = list(photos)[index % len(photos)]
        photo = photos[name]
        side = int(min(photo.size) * random.uniform(0.4, 1))
        left, top = (int(random.uniform(0, edge - side + 1)) for edge in photo.size)
        crop = photo.crop((left, top, left + side, top + side)).resize((160, 160))
        crop = ImageOps.mirror(crop) if random.random() < 0.5 else crop
        crop = ImageEnhance.Brightness(crop).enhance(random.uniform(0.7, 1.3))
        yield f"{name}/{name}-{index:04}.jpg", encoded(crop, "JPEG", quality=88)
