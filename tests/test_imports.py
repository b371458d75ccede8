"""Imports: light ones at the start, and in one direction."""

import ast
import graphlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
PACKAGE = TOP / "tlcourse"
# Folders and modules: each imports what stands in its own line or above it, and nothing below. A module that is named
# does not count with its folder
LAYERS = [
    "settings foundations texts evidence measuring",
    "datasets data",
    "backbones",
    "quality networks",
    "features scaling evaluation splitting cleaning feature_selection",
    "training",
    "fine_tuning demo networks.grad_cam",
    "search",
    "labs",
    "augmentation model_selection tuning",
    "checking exercises",
    "classroom",
    "cli",
]
LAYER = {entry: number for number, line in enumerate(LAYERS) for entry in line.split()}
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if not path.stem.startswith("_")
)
FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def layer_of(module):
    "The number of a module's layer; None where it has none"
    return LAYER.get(module, LAYER.get(module.partition(".")[0]))


def imported_by(statement):
    script = f"import sys; {statement}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


def imports_of(module):
    "The modules of the course that a module imports, anywhere in it but for annotations"
    tree = ast.parse((PACKAGE / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    for_annotations = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_annotations:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            here = ["tlcourse", *module.split(".")][: -node.level] if node.level else []
            place = ".".join([*here, *filter(None, [node.module])])
            names = [place, *(f"{place}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in (name.removeprefix("tlcourse.") for name in names) if name in MODULES)


IMPORTS = {module: sorted(set(imports_of(module)) - {module}) for module in MODULES}


@pytest.mark.parametrize(
    "statement", ["import tlcourse", "import tlcourse.cli", "import tlcourse.settings, tlcourse.classroom.course_files"]
)
def test_the_package_and_the_command_line_import_nothing_heavy(statement):
    assert not imported_by(statement) & {"tensorflow", "keras", "pandas", "numpy", "matplotlib", "jupyterlab"}


EACH = """if True:
    import importlib, json, sys
    found = {}
    for module in sys.argv[1:]:
        # what an earlier module imported of the course is forgotten, so that each has to stand on its own
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tlcourse", "tensorflow", "keras")]:
            del sys.modules[name]
        importlib.import_module(f"tlcourse.{module}")
        found[module] = sorted({"tensorflow", "keras"} & set(sys.modules))
        if found[module]:
            break  # it cannot be imported twice
    print(json.dumps(found))
"""


def test_a_module_imports_no_tensorflow():
    ran = subprocess.run([sys.executable, "-c", EACH, *MODULES], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == dict.fromkeys(MODULES, [])


def test_the_layers_name_what_there_is():
    assert LAYER.keys() <= {*MODULES, *FOLDERS}
    assert len(LAYER) == len(" ".join(LAYERS).split())


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    assert layer_of(module) is not None, f"give {module} or its folder a place in LAYERS"
    later = [name for name in IMPORTS[module] if layer_of(name) is not None and layer_of(name) > layer_of(module)]
    assert not later, f"{module} imports what stands below it in LAYERS: {', '.join(later)}"


def test_no_imports_go_in_a_circle():
    graphlib.TopologicalSorter(IMPORTS).prepare()


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_says_what_it_is_for_and_imports_nothing(folder):
    (sentence,) = ast.parse((PACKAGE / folder / "__init__.py").read_text(encoding="utf-8")).body
    assert re.fullmatch(r"[A-Z][^\n]*\.", ast.literal_eval(sentence.value))
    assert f"{folder}.{folder}" not in MODULES


def test_the_folders_of_the_toolkit_are_those_of_the_package():
    toolkit = TOP / "nbs" / "toolkit"
    numbers = {}
    for path in toolkit.rglob("*.ipynb"):
        if ".ipynb_checkpoints" in path.parts:
            continue
        number, _, name = path.stem.partition("_")
        numbers.setdefault(path.parent, []).append(int(number))
        module = ".".join([*path.relative_to(toolkit).parent.parts, name])
        assert f'#| default_exp {module}"' in path.read_text(encoding="utf-8"), (
            f"{path} is not the notebook of {module}"
        )
    for folder, found in numbers.items():
        assert sorted(found) == list(range(len(found))), f"the notebooks in {folder} are numbered from 00, without gaps"
