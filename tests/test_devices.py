"""Several devices give the weights that one gives."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.training, pytest.mark.long(20)]

# One process for all three: on the one device, on two, and on two whose shards are not equal
SCRIPT = """if True:
    import sys
    import numpy as np
    import tensorflow as tf

    cpu, = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from thin import stay_thin
    from tlcourse import backbones, data, fine_tuning
    from tlcourse.splitting import Splits

    stay_thin()

    images = data.load("textures").sample(per_class=2)
    splits = Splits(images.subset(range(11)), images.subset(range(11, 18)), images.subset(range(18, 20)))
    backbone = backbones.load_backbone("VGG16", "course", 32)

    def run(where, count):
        model = fine_tuning.build_classifier(backbone, images.class_names, dropout=0.0)
        # batches of 4, 4 and 3 images, and of 4 and 3
        phases = [fine_tuning.Phase("head", 2, 1e-2), fine_tuning.Phase("block5", 2, 1e-3, "sgd")]
        devices = [f"CPU:{number}" for number in range(count)]
        strategy = tf.distribute.MirroredStrategy(devices) if count > 1 else None
        history = fine_tuning.fine_tune(model, splits, phases, batch_size=4, restore_best=False, strategy=strategy,
                                        precision="float32", class_weight={images.class_names[0]: 2.0}).history
        np.savez(where, *model.get_weights(), **{name: np.array(values) for name, values in history.items()})
        model.evaluate(splits.test.to_dataset(32), verbose=0)  # it is a plain model again

    def unequal(dataset, devices, weight=None):
        return dataset.map(lambda inputs, labels: (inputs, labels, tf.ones(tf.shape(labels)[:1])))

    run(sys.argv[1], 1)
    run(sys.argv[2], 2)
    fine_tuning.equal_shards = unequal
    run(sys.argv[3], 2)
"""


@pytest.fixture(scope="module")
def found(thin, tmp_path_factory):
    "Weights and history on one device, on two, and on two without equal shards"
    files = [tmp_path_factory.mktemp("devices") / f"{name}.npz" for name in ("one", "two", "unequal")]
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *files], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return [dict(np.load(file)) for file in files]


def test_two_devices_give_the_weights_of_one(found):
    one, two, _ = found
    weights = [name for name in one if name.startswith("arr_")]
    assert len(weights) == 14  # of six convolutions and the head
    for name in weights:
        assert np.abs(two[name] - one[name]).max() <= 1e-5 * max(1.0, np.abs(one[name]).max())
    # what fills a batch up counts for nothing; the accuracy of training is weighted by class on several devices only
    for name in ("val_accuracy", "val_loss"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4)


def test_without_equal_shards_the_weights_would_differ(found):
    one, _, two = found
    assert max(np.abs(one[name] - two[name]).max() for name in two if name.startswith("arr_")) > 1e-4
