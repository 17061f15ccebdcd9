"""What the explorer's map keeps of neighbourhoods, against the first two principal components, and how long it takes.

Crops of the sample photos, vectorised by the services with their built-in models:
``.venv/bin/python tests/bench/bench_map.py``
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import running
from crops import crops
from neighbourhoods import kept, trustworthiness
from pictures import b64
from vecmod.contract.modality import IMAGE
from vecmod.explore.layout import lay_out
from vecmod.explore.projection import Floats, main_directions
from vecmod.host.catalog import IMG2VEC_NEURAL, MULTI2VEC_CLIP
from vecmod.host.client import ServiceClient
from vecmod.host.collect import Piece

NUMBERS = (1000, 5000)
SERVICES = {running.img2vec: IMG2VEC_NEURAL, running.clip: MULTI2VEC_CLIP}


def vectors_of(client: ServiceClient, pictures: list[bytes]) -> Floats:
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda data: client.vectorize([Piece("image", IMAGE, b64(data))], "bench")[0], pictures)
    return np.stack(list(found))


def main() -> None:
    pictures = [data for _, data in crops(max(NUMBERS))]
    print(f"{'model':28} {'pictures':>8}  {'':24} {'trustworthiness':>15} {'10 nearest kept':>15} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as cache:
        for build, module in SERVICES.items():
            with running.in_thread(build(Path(cache))) as caller:
                client = ServiceClient(module, caller.url, 60)
                vectors = vectors_of(client, pictures)
                model = str(client.meta()["model"])
                client.close()
            for number in NUMBERS:
                some = vectors[:number]
                for name, made in (("principal components", main_directions), ("map", lambda one, _: lay_out(one))):
                    began = time.perf_counter()
                    places = made(some, 2)
                    seconds = time.perf_counter() - began
                    true, near = trustworthiness(some, places), kept(some, places)
                    print(f"{model:28} {number:8}  {name:24} {true:15.3f} {near:15.2f} {seconds:8.2f}")


if __name__ == "__main__":
    main()
