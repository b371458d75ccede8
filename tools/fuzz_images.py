"""Damage image files of every format that Pillow reads here, and see whether each is read or refused with the reason.

    python tools/fuzz_images.py --files 20000

The names of the exceptions that are not ours are printed with the seed of their file, and the exit status is 1 where
there is one. A file that takes longer than `--seconds` counts too.
"""

import argparse
import collections
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import damaged  # noqa: E402

from tlcourse.datasets.image_files import decode  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000, help="how many damaged files (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="number of the first (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="longest time for one (default: %(default)s)")
    options = parser.parse_args()
    whole = damaged.pictures()
    names = list(whole)
    outcomes, longest = collections.Counter(), (0.0, None)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "damaged"
        for seed in range(options.seed, options.seed + options.files):
            name = names[seed % len(names)]
            path.write_bytes(damaged.damage(whole[name], np.random.default_rng(seed)))
            start = time.perf_counter()
            try:
                pixels = decode(path)
                right = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size
                outcome = "read" if right else f"NOT PIXELS: {pixels.dtype} {pixels.shape}"
            except ValueError as error:
                named = str(error).startswith(f"{path}: ") and len(str(error)) > len(f"{path}: ")
                outcome = "refused" if named else f"NOT NAMED: {error}"
            except Exception as error:  # noqa: BLE001  that is what is looked for
                outcome = f"NOT OURS: {type(error).__name__}: {error}"
            seconds = time.perf_counter() - start
            longest = max(longest, (seconds, f"{name}, seed {seed}"))
            if seconds > options.seconds:
                outcome = f"TOO LONG: {seconds:.0f} s"
            if outcome not in ("read", "refused"):
                print(f"{name}, seed {seed}: {outcome}")
                outcome = outcome.partition(":")[0]
            outcomes[outcome] += 1
    formats = sorted({name.partition(" ")[0].upper() for name in names})
    missing = sorted(name for name in Image.OPEN if name.upper() not in formats)
    print(f"{options.files} files from {len(names)} pictures in {len(formats)} formats: {', '.join(formats)}")
    print(f"formats that Pillow reads and that were not tried: {', '.join(missing) or 'none'}")
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))
    print(f"the slowest took {longest[0]:.2f} s ({longest[1]})")
    return int(bool(set(outcomes) - {"read", "refused"}))


if __name__ == "__main__":
    sys.exit(main())
