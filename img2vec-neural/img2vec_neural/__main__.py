"""``python -m img2vec_neural``: the container's command."""

import os
import sys

from vecmod.serving.run import Service, main

SERVICE = Service(name="img2vec-neural", default_model="resnet50")

if __name__ == "__main__":
    sys.exit(main(SERVICE.name, os.environ))
