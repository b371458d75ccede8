"""The answers that an exercise's notebook carries, and wrong ones made from them by mutation."""

import ast
import copy
import importlib
import json
import linecache
import re
from dataclasses import dataclass
from pathlib import Path

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "nbs" / "exercises").glob("*.ipynb"))
_HEAD = re.compile(r"# (?:(right)|(wrong|error|not attempted), ([\w -]+)): (.+)")


@dataclass(frozen=True)
class Proof:
    "An answer with the outcome that it must get: `status`, `message`, and what a learner who gives it thinks"

    exercise: str
    cell: str
    status: str
    message: str | None  # None: any
    idea: str
    source: str


def module_of(notebook):
    "The module that a notebook exports"
    return importlib.import_module(f"tlcourse.exercises.{notebook.stem.split('_', 1)[1].removesuffix('_exercises')}")


def cells(notebook):
    return {
        cell["id"]: "".join(cell["source"]) for cell in json.loads(notebook.read_text())["cells"]
        if cell["cell_type"] == "code"
    }  # fmt: skip


def proofs(notebook):
    "The answers in a notebook, and the solution of each exercise as one more right one"
    module, found = module_of(notebook), []
    for cell, source in cells(notebook).items():
        exercise = cell.partition("-")[0]
        if not re.match(r"ex\d+-(right|wrong)-", cell):
            continue
        head = _HEAD.fullmatch(source.partition("\n")[0])
        assert head, f"{notebook.name}: {cell} needs a first line such as `# wrong, message: idea`"
        status, message = (head[1], head[1]) if head[1] else (head[2], head[3])
        found.append(Proof(exercise, cell, status, message, head[4], source))
    for exercise in exercises(module):
        found.append(
            Proof(exercise, f"{exercise}-solution", "right", "right", "the solution", solution(module, exercise))
        )
        # what is to be repaired has no gaps
        stub = ("wrong", None) if getattr(module, exercise).kind == "repair" else ("not attempted", "gap")
        found.append(Proof(exercise, f"{exercise}-stub", *stub, "the stub", cells(notebook)[f"{exercise}-stub"]))
    return found


def exercises(module):
    return [name for name in vars(module) if re.fullmatch(r"ex\d+", name)]


def solution(module, exercise):
    return getattr(module, exercise).code.strip()


def run(notebook, exercise, source, name):
    "The outcome of an answer, run after the cell with the imports of the worksheet"
    made = {"__name__": "submission"}
    file = f"<{notebook.stem} {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    exec(compile(cells(notebook)["code-worksheet-imports"], "<imports>", "exec"), made)
    exec(compile(source, file, "exec"), made)
    one = getattr(module_of(notebook), exercise)
    if not all(key in made for key in one.names):
        return one.evaluate()
    return one.evaluate(*(made[key] for key in one.names))


# Mutations: each takes a node and gives what may stand in its place, a mistake that a learner could make

_WORDS = {
    "softmax": "relu",
    "sparse_categorical_crossentropy": "mean_squared_error",
    "categorical_crossentropy": "binary_crossentropy",
    "median": "mean",
    "group": "random",
    "stratified": "random",
}
_NAMES = {
    "transform": "fit_transform",
    "fit_transform": "transform",
    "GlobalAveragePooling2D": "Flatten",
    "GlobalMaxPooling2D": "Flatten",
    "median": "mean",
    "nanmedian": "nanmean",
    "any": "all",
    "all": "any",
    "argmax": "argmin",
    "argmin": "argmax",
    "max": "min",
    "min": "max",
    "train": "test",
    "test": "train",
}
_OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
_COMPARISONS = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.Gt, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}


def _variants(node):
    "(what the mutation is called, the node instead)"
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield f"{node.value} becomes {not node.value}", ast.Constant(not node.value)
        elif node.value in _WORDS if isinstance(node.value, str) else False:
            yield f"{node.value} becomes {_WORDS[node.value]}", ast.Constant(_WORDS[node.value])
    elif isinstance(node, ast.Attribute) and node.attr in _NAMES:
        yield f"{node.attr} becomes {_NAMES[node.attr]}", ast.Attribute(node.value, _NAMES[node.attr], node.ctx)
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        other = _OPERATORS[type(node.op)]
        yield f"{type(node.op).__name__} becomes {other.__name__}", ast.BinOp(node.left, other(), node.right)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        other = _COMPARISONS[type(node.ops[0])]
        yield (
            f"{type(node.ops[0]).__name__} becomes {other.__name__}",
            ast.Compare(node.left, [other(), *node.ops[1:]], node.comparators),
        )
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert, ast.USub)):
        yield f"{type(node.op).__name__} is dropped", node.operand
    elif isinstance(node, (ast.Expr, ast.Assign, ast.AugAssign)) and not isinstance(
        getattr(node, "value", None), ast.Constant
    ):
        yield f"`{ast.unparse(node).splitlines()[0][:60]}` is dropped", ast.Pass()


def _inside_functions(tree):
    "The nodes of function bodies, and their places: what is outside is not the answer's behaviour"
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.Lambda)):
            for statement in function.body if isinstance(function, ast.FunctionDef) else [function.body]:
                yield from ast.walk(statement)


def scaled(source, names):
    "The pixels or features divided by 255 before the answer sees them, where an answer takes any"
    return "\n".join(
        [
            source,
            "import numpy as _np",
            "_small = lambda one: one / 255 if isinstance(one, _np.ndarray) and one.dtype.kind == 'f' else one",
        ]
        + [
            f"_inner_{name} = {name}\n{name} = lambda *arguments: _inner_{name}(*map(_small, arguments))"
            for name in names
        ]
    )


def mutants(source):
    "(name, source) of each wrong answer that one mutation makes of a right one"
    tree, seen = ast.parse(source), {ast.unparse(ast.parse(source))}
    places = [number for number, node in enumerate(ast.walk(tree))]
    inside = {id(node) for node in _inside_functions(tree)}
    for place in places:
        node = list(ast.walk(tree))[place]
        if id(node) not in inside:
            continue
        for name, instead in _variants(node):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[place]
            changed = _Put(target, instead).visit(changed)
            try:
                text = ast.unparse(ast.fix_missing_locations(changed))
            except Exception:
                continue
            if text not in seen:
                seen.add(text)
                yield f"line {getattr(node, 'lineno', 0)}: {name}", text


class _Put(ast.NodeTransformer):
    def __init__(self, target, instead):
        self.target, self.instead = target, instead

    def visit(self, node):
        return self.instead if node is self.target else self.generic_visit(node)
