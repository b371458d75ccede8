"""Every public function and class says what it returns and what each parameter means."""

import dataclasses
import importlib
import inspect
from pathlib import Path

import pytest
from fastcore.docments import docments

PACKAGE = Path(__file__).resolve().parents[1] / "tlcourse"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if not path.stem.startswith("_")
)


def public_objects():
    "The functions, classes and public methods of the package, by the name to show"
    for module in MODULES:
        loaded = importlib.import_module(f"tlcourse.{module}")
        for name in loaded.__all__:
            value = getattr(loaded, name)
            if not inspect.isfunction(value) and not inspect.isclass(value):
                continue
            yield f"{module}.{name}", value
            for method, function in vars(value).items() if inspect.isclass(value) else ():
                function = function.fget if isinstance(function, property) else getattr(function, "__func__", function)
                # A dataclass writes methods of its own, which have no source
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{module}.{name}.{method}", function


OBJECTS = dict(public_objects())


def undocumented(value):
    "The parameters without a comment, and `return` where the function returns something"
    fields = {field.name: field for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else {}
    for name, found in docments(value, full=True, args_kwargs=True).items():
        if found.docment or name == "self":
            continue
        # What the field's metadata allow is its documentation; one that does not take part in comparing is bookkeeping
        if name in fields and (fields[name].metadata.get("allowed") or not fields[name].compare):
            continue
        # A class returns itself, and there is nothing to say about None
        if name == "return" and (inspect.isclass(value) or found.anno is None):
            continue
        yield name


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring(name):
    text = OBJECTS[name].__doc__
    assert text, f"{name} has no docstring"
    # dataclass writes its signature where there is no docstring
    assert not text.startswith(f"{name.rpartition('.')[2]}("), f"{name} has no docstring of its own"


@pytest.mark.parametrize("name", OBJECTS)
def test_each_parameter_is_explained(name):
    assert not list(undocumented(OBJECTS[name]))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_exports(module):
    loaded = importlib.import_module(f"tlcourse.{module}")
    assert loaded.__doc__
    assert loaded.__all__ and all(hasattr(loaded, name) for name in loaded.__all__)
