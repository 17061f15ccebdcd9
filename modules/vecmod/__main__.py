"""``python -m vecmod``: the same as the command ``vecmod``."""

from vecmod.cli import main

main()
