"""README.md: made from the course home, current, and its ten lines do what they say."""

import importlib.util
import json
import re
from pathlib import Path

import pandas as pd
import pytest

TOP = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("make_readme", TOP / "tools" / "make_readme.py")
make_readme = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_readme)

has_index = pytest.mark.skipif(not make_readme.NOTEBOOK.exists(), reason="nbs/index.ipynb is not written yet")


def notebook(*cells):
    made = []
    for kind, source, *outputs in cells:
        made.append({"cell_type": kind, "source": source.splitlines(keepends=True), "metadata": {}})
        if kind == "code":
            made[-1]["outputs"] = outputs
    return {"cells": made}


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}


def shown(**data):
    return {"output_type": "execute_result", "data": {kind.replace("_", "/"): [text] for kind, text in data.items()}}


@pytest.mark.parametrize(
    "before, after",
    [
        ("[a](lessons/01_first_transfer.ipynb)", "[a](nbs/lessons/01_first_transfer.ipynb)"),
        ("[a](../Makefile)", "[a](Makefile)"),
        ('[a](lessons/a.ipynb#part-one "title")', '[a](nbs/lessons/a.ipynb#part-one "title")'),
        ("[a](lessons/)", "[a](nbs/lessons/)"),
        ("![a](images/a.png) and [b](../b.md)", "![a](nbs/images/a.png) and [b](b.md)"),
        ('<img src="images/a.png">', '<img src="nbs/images/a.png">'),
        ("[a]: ../LICENSE", "[a]: LICENSE"),
        *[
            (same, same)
            for same in (
                "[a](https://example.org/x)",
                "[a](mailto:a@example.org)",
                "[a](#part)",
                "[a](/x)",
                "`[a](b)`",
                "``a ` [a](b)``",
                "```\n[a](b)\n```",
                "text (in brackets)",
                "~~~\n```\n[a](b)\n~~~",
            )
        ],
    ],
)
def test_links_count_from_the_top(before, after):
    assert make_readme.rewrite_links(before) == after


def test_a_link_behind_code_is_still_rewritten():
    text = "`code` [a](b)\n\n```python\nx = [1](2)\n```\n\n[c](d)\n"
    assert make_readme.rewrite_links(text) == "`code` [a](nbs/b)\n\n```python\nx = [1](2)\n```\n\n[c](nbs/d)\n"


def test_a_fence_is_longer_than_the_backticks_in_it():
    text = make_readme.make_readme(notebook(("code", "print('```')", stream("````\n"))))
    assert "````python\nprint('```')\n````" in text
    assert "`````\n````\n`````" in text


def test_cells_become_markdown_in_their_order():
    figure = {"output_type": "display_data", "data": {"image/png": "x", "text/plain": ["<Figure size 640x480>"]}}
    text = make_readme.make_readme(
        notebook(
            ("markdown", "# Title\n> One line."),
            ("raw", "raw"),
            ("code", "#| hide\nhidden()", stream("hidden\n")),
            ("code", "#| echo: false\nquiet()", stream("quiet\n")),
            ("code", "draw()", figure),
            ("code", "1 + 1", shown(text_plain="2")),
        )
    )
    assert (
        text
        == "\n\n".join(
            [
                make_readme.FIRST_LINE,
                "# Title\n> One line.",
                "```\nquiet\n```",
                "```python\ndraw()\n```",
                "```python\n1 + 1\n```",
                "```\n2\n```",
            ]
        )
        + "\n"
    )
    assert text.startswith("<!-- Made from nbs/index.ipynb")


def test_a_data_frame_becomes_a_table():
    index = pd.Index(["scratch", "frozen"], name="route")
    frame = pd.DataFrame({"accuracy": [0.5, 0.75], "a|b": ["x > y", "-"]}, index=index)
    made = make_readme.output(shown(text_html=frame._repr_html_(), text_plain=repr(frame)))
    assert made.splitlines() == [
        "| route | accuracy | a\\|b |",
        "| --- | --- | --- |",
        "| scratch | 0.50 | x > y |",
        "| frozen | 0.75 | - |",
    ]


def test_html_that_is_no_plain_table_is_shown_as_text():
    frame = pd.DataFrame({("a", "b"): [1], ("a", "c"): [2]})
    assert make_readme.output(shown(text_html=frame._repr_html_(), text_plain="plain")) == "```\nplain\n```"


def test_check_tells_a_readme_that_is_not_current(tmp_path, capsys):
    source, readme = tmp_path / "index.ipynb", tmp_path / "README.md"
    source.write_text(json.dumps(notebook(("markdown", "# One"))))
    assert make_readme.main(["--check"], source, readme) == 1
    assert "run `make readme`" in capsys.readouterr().err
    assert make_readme.main([], source, readme) == 0
    assert make_readme.main(["--check"], source, readme) == 0
    source.write_text(json.dumps(notebook(("markdown", "# Two"))))
    assert make_readme.main(["--check"], source, readme) == 1
    assert readme.read_text().endswith("# One\n")


@has_index
def test_the_readme_is_current():
    assert make_readme.main(["--check"]) == 0


@has_index
def test_relative_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)\s#]+)", re.sub(r"```.*?```", "", make_readme.README.read_text(), flags=re.S))
    missing = [target for target in targets if "://" not in target and not (TOP / target).exists()]
    assert not missing


@has_index
def test_the_library_in_ten_lines_runs_with_the_notebook():
    "A hidden cell of the notebook opens without the course what the ten lines saved"
    cells = ["".join(cell["source"]) for cell in json.loads(make_readme.NOTEBOOK.read_text())["cells"]]
    (block,) = [cell for cell in cells if "backbones.load_backbone" in cell]
    (opening,) = [cell for cell in cells if "keras.models.load_model(" in cell and "subprocess.run" in cell]
    assert block in make_readme.README.read_text() and cells.index(opening) > cells.index(block)
    for cell in (block, opening):
        assert not {"notest", "slow", "eval"} & set(re.findall(r"^#\| *(\w+)", cell, re.M))
