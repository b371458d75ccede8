"""What a camera that gets worse costs a head that learned from good pictures: accuracy at each level, over five seeds.

A seed decides which textures are drawn, how they are divided by place, and the noise. One row a seed, way to be worse
and level.

    python worse_camera.py [--seeds 5] [--images-per-class 16] [--save worse_camera.csv]
"""

import argparse

import pandas as pd

from tlcourse.measuring import in_own_process
from tlcourse.networks import precision


def measure(seed, images_per_class):
    "Accuracy in percent on each way to be worse and level"
    from tlcourse import backbones, data
    from tlcourse.labs.camera_bench import LEVELS, CameraBench
    from tlcourse.splitting import split

    textures = data.load("textures").sample(images_per_class, seed=seed)
    resnet = backbones.load_backbone("ResNet50", "course", 64)
    camera = CameraBench(resnet, split(textures, "group", (0.5, 0.1, 0.4), seed=seed), seed=seed)
    return [
        {"seed": seed, "way": way, "level": level, "accuracy": round(100 * float(accuracy), 2)}
        for way in LEVELS
        for level, accuracy in camera.curve(way).items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images-per-class", type=int, default=16)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    rows = [row for seed in range(arguments.seeds) for row in in_own_process(measure, seed, arguments.images_per_class)]
    table = pd.DataFrame(rows).assign(processor=precision.processor())
    print(table.pivot_table("accuracy", "level", "way").round(1))
    if arguments.save:
        table.to_csv(arguments.save, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
