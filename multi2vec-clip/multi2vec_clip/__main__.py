"""``python -m multi2vec_clip``: the container's command."""

import os
import sys

from multi2vec_clip.names import choose
from vecmod.serving.run import Service, main

SERVICE = Service(name="multi2vec-clip", default_model="builtin/conse-en", choose=choose)

if __name__ == "__main__":
    sys.exit(main(SERVICE.name, os.environ))
