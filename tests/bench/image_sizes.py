"""What each image weighs without model weights: `make sizes`. Fails if one holds what it must not, or is too big."""

import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))
import dockerfiles
from image_contents import IMAGES, forbidden, install

MB = 1_000_000
# python:3.11-slim-bookworm, unpacked: Debian and Python. An estimate; everything else is measured.
BASE_MB = 130
# Of whole images, base and all; what does not stand here is only measured.
BUDGET_MB = {"img2vec-neural": 450}


def size_of(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / MB


def largest(venv: Path, count: int = 3) -> str:
    (place,) = venv.glob("lib/python3*/site-packages")
    sizes = sorted(((size_of(path), path.name) for path in place.iterdir() if path.is_dir()), reverse=True)
    return ", ".join(f"{name} {size:.0f}" for size, name in sizes[:count])


def main(wanted: list[str]) -> int:
    table = Table("image", "packages", "installed, MB", f"with a base of {BASE_MB} MB", "largest, MB")
    faults = []
    for name in wanted or IMAGES:
        with tempfile.TemporaryDirectory() as folder:
            context, venv = dockerfiles.copy_context(Path(folder) / "context"), Path(folder) / "venv"
            packages = install(IMAGES[name], context, venv)
            size = size_of(venv)
            table.add_row(name, str(len(packages)), f"{size:.0f}", f"{size + BASE_MB:.0f}", largest(venv))
        if found := forbidden(IMAGES[name], packages):
            faults.append(f"{name} holds {', '.join(found)}")
        if size + BASE_MB > BUDGET_MB.get(name, float("inf")):
            faults.append(f"{name} is larger than {BUDGET_MB[name]} MB")
    Console(width=130).print(table)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
