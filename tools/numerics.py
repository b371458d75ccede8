"""Run the course under other numerics, seeds and settings, and say what failed where.

A statement that luck or the processor decides passes on one machine and fails on the next. Here the notebooks run as
they are; with float32 and oneDNN held to AVX2; without oneDNN's operations; with bfloat16, where the processor has it;
with one thread; those that follow the seed with seeds 0 to 4; and the first lesson with each data set of images,
both backbones, two sizes and three seeds. Each of these has a fresh cache.

    python tools/numerics.py [--only "one thread" ...] [--notebooks lessons exercises] [--workers 2] [--table FILE]

The flowers take part where TLCOURSE_DATA names a folder that has them.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
)
NUMERICS = {
    "as it is": {},
    "float32, oneDNN held to AVX2": {"TLCOURSE_PRECISION": "float32", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "oneDNN's operations off": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "bfloat16": {"TLCOURSE_PRECISION": "bfloat16"},
    "one thread": ONE_THREAD,
}
FIRST = ["lessons/01_first_transfer.ipynb"]
LABS = [
    f"toolkit/labs/*_{name}.ipynb"
    for name in ("lab_run", "instant_head", "preparation_bench", "camera_bench", "widgets")
]
FOLLOW_THE_SEED = [*FIRST, *LABS, "exercises"]


def has_bfloat16():
    "Whether the processor computes in bfloat16 by itself; elsewhere it is emulated, and too slow to be asked for"
    try:
        return "bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def configurations():
    "The name of each configuration: its environment, and the notebooks it is for; None are all"
    numerics = {name: (one, None) for name, one in NUMERICS.items() if name != "bfloat16" or has_bfloat16()}
    seeds = {f"seed {seed}": ({"TLCOURSE_SEED": str(seed)}, FOLLOW_THE_SEED) for seed in range(5)}
    datasets = ["textures", "digits", "charts"]
    if (Path(os.environ.get("TLCOURSE_DATA", "")) / "flowers").is_dir() and os.environ.get("TLCOURSE_DATA"):
        datasets.append("flowers")
    settings = {}
    for values in itertools.product(datasets, ("ResNet50", "VGG16"), (64, 96), range(3)):
        names = ("TLCOURSE_DATASET", "TLCOURSE_BACKBONE", "TLCOURSE_IMAGE_SIZE", "TLCOURSE_SEED")
        settings[", ".join(map(str, values))] = (dict(zip(names, map(str, values), strict=True)), FIRST)
    return numerics | seeds | settings


def run(environment, notebooks, workers):
    "What each notebook cost and its error, as a table"
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        offline = os.pathsep.join(filter(None, [str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH")]))
        variables = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TLCOURSE_CACHE": folder} | environment
        places = [str(path) for name in notebooks for path in sorted((ROOT / "nbs").glob(name))]
        command = [sys.executable, str(ROOT / "tools" / "notebooks.py"), *places, "--workers", str(workers)]
        subprocess.run([*command, "--table", str(table)], env=os.environ | {"PYTHONPATH": offline} | variables)
        return pd.read_csv(table, keep_default_na=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="configurations whose names contain one of these")
    parser.add_argument("--notebooks", nargs="+", help="patterns below nbs/; what each configuration is for by default")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", help="a CSV file for the results")
    options = parser.parse_args()
    columns, everything = {}, ["lessons", "exercises", "toolkit", "*.ipynb"]
    for name, (environment, notebooks) in configurations().items():
        if not any(part in name for part in options.only):
            continue
        print(f"== {name}", flush=True)
        ran = run(environment, options.notebooks or notebooks or everything, options.workers)
        columns[name] = ran.set_index("notebook")["error"].map(lambda error: error or "ok")
        if options.table:  # after each: what was seen stays if the rest is stopped
            pd.DataFrame(columns).to_csv(options.table)
    table = pd.DataFrame(columns).T
    failed = table.stack()[lambda outcomes: outcomes != "ok"]
    print(pd.DataFrame({"notebooks": table.count(axis=1), "failed": (table.notna() & (table != "ok")).sum(axis=1)}))
    print(failed.to_string() if len(failed) else "nothing failed")
    sys.exit(bool(len(failed)))


if __name__ == "__main__":
    main()
