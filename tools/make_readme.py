"""Make README.md from nbs/index.ipynb, so that the course home and the README never differ.

Usage: python tools/make_readme.py [--check]
With --check nothing is written: exit code 1 where README.md is not current.
"""

import argparse
import json
import posixpath
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
NOTEBOOK, README = TOP / "nbs" / "index.ipynb", TOP / "README.md"
FIRST_LINE = "<!-- Made from nbs/index.ipynb by tools/make_readme.py: edit the notebook, then run `make readme`. -->"

# A fenced block or a span of code is taken whole, so that nothing in it counts as a link
CODE = r"(?P<code>^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[`~]*[ \t]*$|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
LINKS = {
    "inline": re.compile(CODE + r"|(?P<before>\]\(<?)(?P<target>[^)\s>]+)", re.M | re.S),
    "reference": re.compile(CODE + r"|(?P<before>^ {0,3}\[[^\]]+\]:[ \t]+<?)(?P<target>[^\s>]+)", re.M | re.S),
    "html": re.compile(CODE + r"|(?P<before>\b(?:src|href)=[\"'])(?P<target>[^\"']+)", re.M | re.S),
}


def rewrite_links(markdown, folder="nbs"):
    "The text with each relative link, which counts from `folder`, counting from the top of the repository"

    def rewrite(match):
        if match["code"]:
            return match[0]
        target = match["target"]
        if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|[/#]", target):  # an address, a path of a site, a place on this page
            return match[0]
        path, mark, place = target.partition("#")
        path = posixpath.normpath(posixpath.join(folder, path)) + ("/" if path.endswith("/") else "")
        return match["before"] + path + mark + place

    for pattern in LINKS.values():
        markdown = pattern.sub(rewrite, markdown)
    return markdown


def fenced(text, language=""):
    "The text in a fence that is longer than any run of backticks in it"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


class _Table(HTMLParser):
    "The rows of the tables in a piece of HTML; `header_rows` of them come before the body"

    def __init__(self):
        super().__init__()
        self.rows, self.header_rows, self.tables, self.in_cell, self.spans = [], 0, 0, False, False

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables += 1
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self.in_cell = True
            self.spans |= any(name in ("colspan", "rowspan") and value != "1" for name, value in attributes)
        elif tag == "tbody":
            self.header_rows = len(self.rows)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data):
        if self.in_cell:
            self.rows[-1][-1] += data


def table(html):
    "The one plain table of the HTML in Markdown, or None where it holds anything else"
    parser = _Table()
    parser.feed(html)
    widths = {len(row) for row in parser.rows}
    if parser.tables != 1 or len(widths) != 1 or parser.spans or not parser.header_rows:
        return None
    rows = [[re.sub(r"\s+", " ", cell).strip().replace("|", "\\|") for cell in row] for row in parser.rows]
    # pandas gives the name of the index a row of its own below the names of the columns
    header = [" ".join(filter(None, column)) for column in zip(*rows[: parser.header_rows], strict=True)]
    lines = [header, ["---"] * len(header), *rows[parser.header_rows :]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(value):
    return re.sub(r"\x1b\[[0-9;]*m", "", "".join(value))


def output(out):
    "An output in Markdown; None for one that a README cannot show, such as a figure"
    if out["output_type"] == "stream":
        return fenced(_text(out["text"])) if out["name"] == "stdout" and _text(out["text"]).strip() else None
    data = out.get("data", {})
    if any(kind.startswith("image/") for kind in data):
        return None
    if "text/markdown" in data:
        return rewrite_links(_text(data["text/markdown"]).strip())
    made = table("".join(data["text/html"])) if "text/html" in data else None
    if made or "text/plain" not in data:
        return made
    return fenced(_text(data["text/plain"]))


def code_cell(cell):
    "The parts of a code cell in Markdown, as its directives say"
    lines = "".join(cell["source"]).splitlines()
    directives = {re.sub(r"^#\|\s*", "", line).strip() for line in lines if line.startswith("#|")}
    if directives & {"hide", "include: false"}:
        return []
    source = "\n".join(line for line in lines if not line.startswith("#|")).strip("\n")
    shown = [fenced(source, "python")] if source and "echo: false" not in directives else []
    return shown + [made for made in map(output, cell.get("outputs", [])) if made]


def make_readme(notebook):
    "The text of the README for a notebook, given as the dictionary that its file holds"
    parts = [FIRST_LINE]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append(rewrite_links("".join(cell["source"]).strip()))
        elif cell["cell_type"] == "code":
            parts += code_cell(cell)
    return "\n\n".join(parts) + "\n"


def main(argv=None, notebook=NOTEBOOK, readme=README):
    "Write the README, or check it; return the exit code"
    example = "example: python tools/make_readme.py --check"
    parser = argparse.ArgumentParser(description="Make README.md from nbs/index.ipynb.", epilog=example)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where it is not current")
    arguments = parser.parse_args(argv)
    try:
        text = make_readme(json.loads(notebook.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        print(f"{notebook.name} cannot be read: {error}", file=sys.stderr)
        return 1
    if arguments.check:
        current = readme.is_file() and readme.read_text(encoding="utf-8") == text
        if not current:
            print(f"{readme.name} is not what {notebook.name} makes: run `make readme`.", file=sys.stderr)
        return 0 if current else 1
    readme.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
