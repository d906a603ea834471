"""The command ``fivefold``: each command parses, calls one library function and renders."""
