"""``python -m fivefold`` is the command ``fivefold``."""

from fivefold.cli.main import run

run()
