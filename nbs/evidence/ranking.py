"""Whether scores of transferability know which backbone will be best, judged by fine-tuning them all.

Candidates are ResNet50 and VGG16, each with the course's weights, with random ones, and with the course's weights after
a further training of all layers on another task of the course. Every candidate is scored on the few training images of
a target task and then fine-tuned on them; its accuracy is that on the test part. `--save` writes a row for each
candidate, target and seed; what the file has of other backbones stays.

    python ranking.py [--seeds 5] [--images-per-class 10] [--size 64] [--backbones VGG16] [--save ranking.csv]
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.model_selection import agreement

TASKS = ("textures", "digits", "charts")
NETWORKS = ("ResNet50", "VGG16")
METHODS = ("logme", "shrinkage_h_score", "h_score", "nleep", "transrate", "gbc", "sfda", "knn", "linear_probe")


def train_on(name, task, size, path):
    "Train all layers of a backbone with the course's weights on a task, and write its weights to a file"
    from tlcourse import backbones, data, fine_tuning
    from tlcourse.splitting import Splits

    images = data.load(task).sample(40, seed=0)
    backbone = backbones.load_backbone(name, "course", size)
    model = fine_tuning.build_classifier(backbone, images.class_names)
    phases = [fine_tuning.Phase("head", 2, 1e-2), fine_tuning.Phase("all", 4, 1e-4)]
    held_out = images.sample(2, seed=0)  # not looked at: the last weights are kept
    fine_tuning.fine_tune(model, Splits(images, held_out, held_out), phases, restore_best=False)
    for layer in backbone.model.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    backbone.model.save_weights(path)
    return path


def rank(target, seed, images_per_class, size, files):
    "The rows of `rank_backbones` for all candidates but those that were trained on the target itself"
    from tlcourse import backbones, data, demo, model_selection
    from tlcourse.splitting import Splits

    few = demo.few_images(data.load(target), images_per_class, seed)
    # the part that judges is the large test part: nothing is chosen here
    splits = Splits(few.train, few.test, few.validation, few.how)
    candidates = {}
    for name, trained in files.items():
        for start, weights in {"course": "course", "random": None, **trained}.items():
            if start != target:
                candidates[f"{name} {start}"] = backbones.load_backbone(name, weights, size, seed)
    table = model_selection.rank_backbones(splits, candidates, METHODS, recipe="top_stage", seed=seed)
    return table.reset_index().drop(columns="weights").to_dict("records")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images-per-class", type=int, default=10)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--backbones", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = []
    if arguments.save and Path(arguments.save).exists():
        known = pd.read_csv(arguments.save)
        rows = known[~known["backbone"].str.split(" ").str[0].isin(arguments.backbones)].to_dict("records")
    with tempfile.TemporaryDirectory() as folder:
        files = {name: {} for name in arguments.backbones}
        for name in arguments.backbones:
            for task in TASKS:
                path = str(Path(folder) / f"{name}-{task}.weights.h5")
                files[name][task] = in_own_process(train_on, name, task, arguments.size, path)
                print(f"{name} was trained on {task}", flush=True)
        for target in TASKS:
            for seed in range(arguments.seeds):
                found = in_own_process(rank, target, seed, arguments.images_per_class, arguments.size, files)
                rows += [{"target": target, "seed": seed} | row for row in found]
                table = pd.DataFrame(rows)
                if arguments.save:  # after each ranking: what was measured stays if the rest is stopped
                    table.to_csv(arguments.save, index=False, float_format="%.6g", lineterminator="\n")
            best = table[table["target"] == target].groupby("backbone")["accuracy"].mean().sort_values(ascending=False)
            print(f"{target}: {', '.join(f'{name} {accuracy:.1%}' for name, accuracy in best.items())}", flush=True)
    print(agreement(table, METHODS, by=["target", "seed"]).round(2).to_string())


if __name__ == "__main__":
    main()
