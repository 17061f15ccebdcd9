"""``python -m vecmod_module_example``, and what ``vecmod serve img2vec-example`` finds."""

import os
import sys

from vecmod.serving.run import Service, main

SERVICE = Service(name="img2vec-example", default_model="colour-histogram")

if __name__ == "__main__":
    sys.exit(main(SERVICE.name, os.environ))
