"""Write constraints.txt from the environment that runs this: names and versions only, sorted.

Usage: python tools/pin.py [FILE]
"""

import re
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet

# The project itself, and the installers, which are the reader's own
LEFT_OUT = {"tlcourse", "pip", "setuptools", "wheel"}


def pins():
    versions = {}
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        # The first on the path is the one that imports; a local version such as 2.1+cpu is built for one machine
        versions.setdefault(name, distribution.version.partition("+")[0])
    return "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()) if name not in LEFT_OUT)


def too_new():
    "The installed packages that the oldest Python of `requires-python` cannot have, and what each asks for"
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=") + ".0"
    asked = {each.metadata["Name"]: each.metadata["Requires-Python"] for each in distributions()}
    return {name: wants for name, wants in asked.items() if wants and not SpecifierSet(wants).contains(oldest)}


if __name__ == "__main__":
    if found := too_new():
        sys.exit(f"Nothing is pinned: these want a newer Python than pyproject.toml does, install older ones: {found}")
    destination = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "constraints.txt")
    destination.write_text("# The versions that are tested. Made by `make pin`.\n" + pins(), encoding="utf-8")
