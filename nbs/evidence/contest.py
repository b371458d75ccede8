"""TPE with Hyperband against random search without pruning, in turns of five seconds until both had as much time.

A row is the best validation loss of one search on one division of the textures by place; what the table has of other
seeds stays.

    python contest.py [--contest 20] [--contest-epochs 10] [--seeds 10] [--first-seed 0] [--save contest.csv]
"""

import argparse
import itertools
import os
import tempfile
import time
from pathlib import Path

os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import optuna  # noqa: E402
import pandas as pd  # noqa: E402

from tlcourse import backbones, data, splitting, tuning  # noqa: E402
from tlcourse.networks import precision  # noqa: E402
from tlcourse.splitting import Splits  # noqa: E402


def contest(options):
    "The best validation score of both after the same time, seed by seed"
    textures = data.load("textures")
    backbone = backbones.load_backbone("VGG16", "course", 64)
    rows = []
    divisions = {}  # by place, so that some leave fewer than ten training images of a class: those are passed over
    for seed in itertools.count(options.first_seed):
        parts = splitting.split(textures, how="group", sizes=(0.4, 0.4, 0.2), seed=seed)
        if np.bincount(parts.train.labels).min() >= 10:
            divisions[seed] = parts
        if len(divisions) == options.seeds:
            break
    for seed, parts in divisions.items():
        splits = Splits(parts.train.sample(10, seed), parts.validation, parts.test)
        players = {
            "TPE, Hyperband": dict(sampler="tpe", pruner="hyperband"),
            "random": dict(sampler="random", pruner="none"),
        }
        storages = {name: optuna.storages.InMemoryStorage() for name in players}
        used = dict.fromkeys(players, 0.0)
        # the heads that both may need are traced before, so that none pays for the other
        tuning.search(
            splits, backbone, None, "random", "none", 40, storage="memory", seed=seed, progress=False, epochs=2
        )
        while min(used.values()) < options.contest:
            # the one that had less time goes on
            name = min(used, key=used.get)
            start = time.perf_counter()
            study = tuning.search(
                splits, backbone, None, seconds=5.0, storage=storages[name], study=name, seed=seed, score="loss",
                progress=False, epochs=options.contest_epochs, **players[name],
            )  # fmt: skip
            used[name] += time.perf_counter() - start
        for name in players:
            study = optuna.load_study(study_name=name, storage=storages[name])
            rows.append({"seed": seed, "search": name, "loss": study.best_value, "trials": len(study.trials)})
            rows[-1]["pruned"] = sum(trial.state.name == "PRUNED" for trial in study.trials)
            rows[-1] |= {"seconds": options.contest, "processor": precision.processor()}
        print(
            f"seed {seed}: "
            + ", ".join(f"{row['search']} {row['loss']:.4f} ({row['trials']} trials)" for row in rows[-2:]),
            flush=True,
        )
    table = pd.DataFrame(rows).round(5)
    if options.save:
        earlier = pd.read_csv(options.save) if Path(options.save).exists() else table[:0]
        kept = pd.concat([earlier[~earlier["seed"].isin(divisions)], table]).sort_values("seed", kind="stable")
        kept.to_csv(options.save, index=False, lineterminator="\n")
    by_seed = table.pivot(index="seed", columns="search", values="loss")
    wins = int((by_seed["TPE, Hyperband"] <= by_seed["random"]).sum())
    print(f"TPE with Hyperband is no worse than random search at {options.contest} s in {wins} of {len(by_seed)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--contest", type=float, default=20.0, help="seconds for each of the two searches and each seed"
    )
    parser.add_argument("--contest-epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--save")
    contest(parser.parse_args())
