"""The notebooks are the source: cleaning them and exporting them again changes nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
SCRIPTS = Path(sys.executable).parent


def contents(top):
    paths = [*top.glob("nbs/**/*.ipynb"), *top.glob("tlcourse/**/*.py")]
    return {
        path.relative_to(top).as_posix(): path.read_bytes() for path in paths if ".ipynb_checkpoints" not in path.parts
    }


def test_clean_and_export_leave_no_difference(tmp_path):
    # On a copy, so that a failing test changes nothing in the work tree
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("nbs", "tlcourse"):
        shutil.copytree(
            TOP / name, copy / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__", "weights")
        )
    for name in ("pyproject.toml", "README.md", "settings.ini"):
        shutil.copy(TOP / name, copy / name)
    before = contents(copy)
    for command in (["nbdev-clean"], ["nbdev-export"]):
        ran = subprocess.run([SCRIPTS / command[0], *command[1:]], cwd=copy, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    after = contents(copy)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    assert not changed, f"run `make export` and look at: {', '.join(changed)}"
