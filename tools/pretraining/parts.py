"""Carry large files where a transfer has a limit: cut them into parts there, and join the parts here.

python tools/pretraining/parts.py cut FILE ... --to FOLDER [--megabytes 15]
python tools/pretraining/parts.py join FOLDER --to FOLDER
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path


def cut(files, folder, size):
    "Write the parts of the files, of at most so many bytes, and `parts.json` with the SHA-256 of each file"
    folder.mkdir(parents=True, exist_ok=True)
    known = {}
    for path in files:
        names = []
        with path.open("rb") as file:
            while block := file.read(size):
                names.append(f"{path.name}.{len(names):03}")
                (folder / names[-1]).write_bytes(block)
            file.seek(0)
            known[path.name] = {"parts": names, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    (folder / "parts.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def join(folder, target):
    "Write the files that the parts in the folder are of; `ValueError` where a part is missing or changed"
    target.mkdir(parents=True, exist_ok=True)
    for name, facts in json.loads((folder / "parts.json").read_text(encoding="utf-8")).items():
        missing = [part for part in facts["parts"] if not (folder / part).is_file()]
        if missing:
            raise ValueError(f"Expected all parts of {name} in {folder}; missing: {', '.join(missing)}.")
        whole = target / f"{name}.part"
        with whole.open("w+b") as file:
            for part in facts["parts"]:
                with (folder / part).open("rb") as source:
                    shutil.copyfileobj(source, file)
            file.seek(0)
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != facts["sha256"]:
            raise ValueError(f"The parts of {name} in {folder} do not make the file that was cut; send them again.")
        whole.replace(target / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    cutting, joining = commands.add_parser("cut"), commands.add_parser("join")
    cutting.add_argument("files", nargs="+", type=Path)
    cutting.add_argument("--megabytes", type=float, default=15, help="of a part at most (default 15)")
    joining.add_argument("folder", type=Path)
    for command in (cutting, joining):
        command.add_argument("--to", type=Path, required=True, help="folder")
    arguments = parser.parse_args()
    if arguments.command == "cut":
        cut(arguments.files, arguments.to, int(arguments.megabytes * 1e6))
    else:
        join(arguments.folder, arguments.to)


if __name__ == "__main__":
    main()
