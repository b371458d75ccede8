"""Write constraints.txt from the environment that runs this: names and versions only, sorted.

Usage: python tools/pin.py [FILE]
"""

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

# The project itself, and the installers, which are the reader's own
LEFT_OUT = {"tlcourse", "pip", "setuptools", "wheel"}


def pins():
    versions = {}
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        # The first on the path is the one that imports; a local version such as 2.1+cpu is built for one machine
        versions.setdefault(name, distribution.version.partition("+")[0])
    return "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()) if name not in LEFT_OUT)


if __name__ == "__main__":
    destination = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "constraints.txt")
    destination.write_text("# The versions that are tested. Made by `make pin`.\n" + pins(), encoding="utf-8")
