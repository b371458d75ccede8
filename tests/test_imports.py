"""Imports: light ones at the start, and in one direction."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tlcourse"
ORDER = [
    "arguments",
    "allocator",
    "settings",
    "texts",
    "evidence",
    "measuring",
    "image_files",
    "batch_order",
    "moments",
    "image_data",
    "class_names",
    "conversion",
    "textures",
    "emoji",
    "charts",
    "tones",
    "downloads",
    "data",
    "image_faults",
    "duplicates",
    "missing_values",
    "noise",
    "backbones",
    "precision",
    "folding",
    "inference",
    "feature_cache",
    "features",
    "scaling",
    "evaluation",
    "cleaning",
    "splitting",
    "feature_selection",
    "optimizers",
    "devices",
    "checkpoints",
    "progress",
    "training_run",
    "callbacks",
    "fine_tuning",
    "lab_controller",
    "widget_parts",
    "cards",
    "search_space",
    "trials",
    "head_training",
    "tuning",
    "augmentation",
    "model_cost",
    "transferability",
    "model_selection",
    "grad_cam",
    "keras_code",
    "lab_run",
    "instant_head",
    "preparation_bench",
    "camera_bench",
    "widgets",
    "demo",
    "ledger",
    "checking",
    "student",
    "course_files",
    "reports",
    "walls",
    "sandbox",
    "grading",
    "lab_app",
    "cli",
]
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("_"))


def imported_by(statement):
    script = f"import sys; {statement}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


def imports_of(path):
    "The modules of the course that a module imports, anywhere in it but for annotations"
    tree = ast.parse(path.read_text(encoding="utf-8"))
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
            module = f"tlcourse.{node.module or ''}".rstrip(".") if node.level else node.module
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "tlcourse" and len(parts) > 1 and (PACKAGE / f"{parts[1]}.py").exists():
                yield parts[1]


@pytest.mark.parametrize(
    "statement", ["import tlcourse", "import tlcourse.cli", "import tlcourse.settings, tlcourse.course_files"]
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


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    assert module in ORDER, f"give {module} its place in ORDER"
    later = {
        name
        for name in imports_of(PACKAGE / f"{module}.py")
        if name != module and ORDER.index(name) > ORDER.index(module)
    }
    assert not later, f"{module} imports what comes after it: {', '.join(sorted(later))}"
