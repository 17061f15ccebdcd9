"""``python -m multi2vec_bind``: the container's command."""

import os
import sys

from multi2vec_bind.bind_names import choose
from vecmod.serving.run import Service, main

SERVICE = Service(name="multi2vec-bind", default_model="imagebind_huge", choose=choose)

if __name__ == "__main__":
    sys.exit(main(SERVICE.name, os.environ))
