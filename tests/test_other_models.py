"""Models and data fit where the names of their classes do, whoever made them and in whatever form they come."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tlcourse import backbones, evaluation, fine_tuning
from tlcourse.datasets.class_names import class_names_of
from tlcourse.datasets.image_data import ImageData
from tlcourse.datasets.image_files import ImageFiles
from tlcourse.splitting import Splits

pytestmark = pytest.mark.training

NAMES = ["cat", "Löwenzahn", "rock/metal"]


def shades(count=12, names=NAMES, size=32):
    "Images that are black, red or blue, each class one colour"
    labels = np.arange(count) % 3
    pixels = np.zeros((count, size, size, 3), np.uint8)
    pixels[labels == 1, ..., 0] = pixels[labels == 2, ..., 2] = 200
    return ImageData(pixels, labels, names)


def in_other_order(data, order=(2, 0, 1)):
    "The same images, the classes numbered otherwise"
    names = [data.class_names[number] for number in order]
    return ImageData(data.images, [names.index(data.class_names[label]) for label in data.labels], names)


@pytest.fixture(scope="module")
def backbone(thin):
    return backbones.load_backbone("VGG16", "course", 32)


def by_colour(size=(32, 32), outputs="logits", activation=None):
    "A model that knows the three colours by heart: logits 0, 9 times red, 9 times blue"
    import keras

    pixels = keras.Input((*size, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 200)(pixels))
    dense = keras.layers.Dense(3 if outputs == "logits" else 1, activation=activation)
    model = keras.Model(pixels, dense(x))
    kernel = np.zeros(dense.kernel.shape, np.float32)
    kernel[0, 1 if outputs == "logits" else 0] = 9
    if outputs == "logits":
        kernel[2, 2] = 9
    dense.set_weights([kernel, np.array([1, 0, 0] if outputs == "logits" else [-4], np.float32)])
    return model


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_the_names_are_in_the_file_and_nothing_of_ours_is(backbone, tmp_path):
    import keras

    model = fine_tuning.build_classifier(backbone, NAMES, head="flatten")
    model.save(tmp_path / "one.keras")
    assert class_names_of(keras.models.load_model(tmp_path / "one.keras")) == NAMES
    assert class_names_of(keras.models.clone_model(model)) == NAMES
    assert "tlcourse" not in zipfile.ZipFile(tmp_path / "one.keras").read("config.json").decode()


def test_classes_in_another_order_are_put_right_and_others_are_refused(backbone):
    data = shades()
    trained = []
    for one, weights in ((data, [1.0, 2.0, 3.0]), (in_other_order(data), [3.0, 1.0, 2.0])):
        model = fine_tuning.build_classifier(backbone, NAMES, dropout=0.0)
        phases = [fine_tuning.Phase("head", 40, 0.1)]
        fine_tuning.fine_tune(model, Splits(one, data, data), phases, class_weight=weights)
        trained.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*trained, strict=True))
    straight, turned = (evaluation.evaluate(model, one) for one in (data, in_other_order(data)))
    assert straight.accuracy == turned.accuracy == 1
    assert np.array_equal(straight.probabilities[:, [2, 0, 1]], turned.probabilities)
    assert turned.per_class.index.tolist() == turned.data.class_names  # in the order of the data that came
    others = shades(names=["cat", "dog", "rock/metal"])
    for call in (
        lambda: evaluation.evaluate(model, others),
        lambda: fine_tuning.fine_tune(model, Splits(others, others, others), epochs=1),
        lambda: fine_tuning.find_learning_rate(model, Splits(others, others, others)),
    ):
        with pytest.raises(ValueError, match=r"it has no 'dog', and .* has no 'Löwenzahn'"):
            call()
    with pytest.raises(ValueError, match=r"the data|has no 'rock/metal'"):
        evaluation.evaluate(model, ImageData(data.images[:2], [0, 1], NAMES[:2]))


@pytest.mark.parametrize("size", [(32, 32), (None, None), (48, 24)])
@pytest.mark.parametrize("activation", [None, "softmax"])
def test_a_model_of_any_size_with_logits_or_probabilities(size, activation):
    report = evaluation.evaluate(by_colour(size, activation=activation), shades())
    logits = np.array([[1, 0, 0], [1, 9, 0], [1, 0, 9]])
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(report.probabilities[:3], expected, atol=1e-5)
    assert report.accuracy == 1


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_one_output_for_two_classes(activation):
    data = shades()
    two = ImageData(data.images[data.labels < 2], data.labels[data.labels < 2], NAMES[:2])
    report = evaluation.evaluate(by_colour(outputs="one", activation=activation), two)
    expected = 1 / (1 + np.exp([4, -5]))
    np.testing.assert_allclose(report.probabilities[:2, 1], expected, atol=1e-5)
    np.testing.assert_allclose(report.probabilities.sum(axis=1), 1, atol=1e-6)
    assert report.accuracy == 1


def test_files_for_a_model_of_any_size_need_a_size(tmp_path):
    Image.new("RGB", (40, 20), "red").save(tmp_path / "a.png")
    files = ImageData(ImageFiles([tmp_path / "a.png"]), [1], NAMES)
    model = by_colour((None, None))
    with pytest.raises(ValueError, match="Expected image_size in pixels"):
        evaluation.evaluate(model, files)
    assert evaluation.evaluate(model, files, image_size=16).accuracy == 1
    with pytest.raises(ValueError, match=r"Expected image_size=\(32, 32\)"):
        evaluation.evaluate(by_colour(), files, image_size=16)


def test_models_that_are_no_classifiers_of_images_are_refused():
    import keras

    flat, pixels = keras.Input((5,)), keras.Input((8, 8, 3))
    grey = keras.Input((8, 8, 1))
    for model in (
        keras.Model(flat, keras.layers.Dense(3)(flat)),
        keras.Model(pixels, keras.layers.Conv2D(3, 3)(pixels)),
        keras.Model(grey, keras.layers.Dense(3)(keras.layers.Flatten()(grey))),
        keras.Model([pixels, flat], keras.layers.Dense(3)(flat)),
    ):
        with pytest.raises(ValueError, match="Expected a classifier of images"):
            evaluation.evaluate(model, shades())
    broken = by_colour()
    broken.layers[-1].set_weights([np.full((3, 3), np.nan), np.zeros(3)])
    with pytest.raises(ValueError, match="NaN or infinity came for 12 of 12 images"):
        evaluation.evaluate(broken, shades())


def test_predict_takes_a_file_a_folder_a_list_and_arrays(backbone, tmp_path):
    model = by_colour()
    (tmp_path / "new").mkdir()
    for name, colour in (("b.png", (200, 0, 0)), ("a.jpg", (0, 0, 200))):
        Image.new("RGB", (50, 40), colour).save(tmp_path / "new" / name)
    (tmp_path / "new" / "c.png").write_text("no picture")
    (tmp_path / "new" / "notes.txt").write_text("no picture either")
    (tmp_path / "new" / "__MACOSX").mkdir()
    (tmp_path / "new" / "__MACOSX" / "b.png").write_text("what an archive leaves")
    with pytest.raises(ValueError, match="Expected the names of the 3 classes of this model, for it carries none"):
        evaluation.predict(model, tmp_path / "new")
    with pytest.warns(UserWarning, match=r"1 of 3 files cannot be read and are left out: .*c\.png"):
        table = evaluation.predict(model, tmp_path / "new", NAMES)
    assert table.columns.tolist() == ["predicted", "probability", *NAMES]
    assert [path.rpartition("new")[2][1:] for path in table.index] == ["a.jpg", "b.png"]
    assert table["predicted"].tolist() == ["rock/metal", "Löwenzahn"] and (table["probability"] > 0.99).all()
    one = evaluation.predict(model, str(tmp_path / "new" / "b.png"), NAMES)
    assert one["predicted"].tolist() == ["Löwenzahn"]
    listed = evaluation.predict(model, [tmp_path / "new" / name for name in ("b.png", "a.jpg")], NAMES)
    assert listed["predicted"].tolist() == ["Löwenzahn", "rock/metal"]
    data = shades()
    for images, count in ((data, 12), (data.images, 12), (data.images[1], 1), (data.images.astype("float32"), 12)):
        assert len(evaluation.predict(model, images, NAMES)) == count
    own = evaluation.predict(fine_tuning.build_classifier(backbone, NAMES), data)
    assert own.columns.tolist() == ["predicted", "probability", *NAMES]
    np.testing.assert_allclose(own[NAMES].sum(axis=1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="Expected at least one image that can be read"), pytest.warns(UserWarning):
        evaluation.predict(model, tmp_path / "new" / "c.png", NAMES)


def test_parts_come_in_the_forms_that_others_keep_them_in(backbone, tmp_path):
    import tensorflow as tf

    data = shades()
    for number in range(len(data)):
        Image.fromarray(data.images[number]).save(tmp_path / f"{number}.png")
    named = [NAMES[label] for label in data.labels]
    table = pd.DataFrame({"path": [tmp_path / f"{n}.png" for n in range(12)], "label": named, "group": range(12)})
    pairs = tf.data.Dataset.from_tensor_slices((data.images, data.labels)).batch(5)
    pairs.class_names = NAMES
    splits = Splits(pairs, (data.images, data.labels), table)
    assert all(part.class_names == NAMES for part in splits.parts.values())
    assert all(np.array_equal(part.labels, data.labels) for part in splits.parts.values())
    assert splits.test.metadata["group"].tolist() == list(range(12)) and isinstance(splits.test.images, ImageFiles)
    model = fine_tuning.build_classifier(backbone, NAMES)
    fine_tuning.fine_tune(model, splits, [fine_tuning.Phase("head", 40, 0.1)])
    for given in (pairs, (data.images, named), table):
        assert evaluation.evaluate(model, given).accuracy == 1
    with pytest.raises(TypeError, match=r"Expected splits: splitting\.split\(data\) makes them.*; tuple came"):
        fine_tuning.fine_tune(model, (data.images, data.labels))
    with pytest.raises(TypeError, match="Expected images with their classes"):
        evaluation.evaluate(model, str(tmp_path))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda d, tf: tf.data.Dataset.from_tensor_slices((d.images, d.labels)).repeat(), "Leave out repeat"),
        (lambda d, tf: tf.data.Dataset.from_tensor_slices(d.images), "of pairs"),
        (lambda d, tf: tf.data.Dataset.from_tensor_slices({"image": d.images, "label": d.labels}), "of pairs"),
        (lambda d, tf: (d.images, np.full((12, 3), 0.3)), "a row with a single 1"),
        (lambda d, tf: (d.images, ["cat", None] * 6), "of 6 images none came, the first is number 1"),
        (lambda d, tf: (d.images, np.where(d.labels == 2, np.nan, d.labels)), "of 4 images none came"),
        (lambda d, tf: pd.DataFrame({"path": ["a.png"] * 2, "label": ["cat", np.nan]}), "of 1 images none came"),
        (lambda d, tf: (d.images, ["bird"] * 12), "Expected labels from cat, .*'bird' came"),
        (lambda d, tf: (d.images, d.labels[:5]), "one label an image"),
        (lambda d, tf: pd.DataFrame({"where": ["a.png"], "label": [0]}), "Expected one column called path, .*Rename"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(given, message):
    import tensorflow as tf

    from tlcourse.datasets.conversion import as_image_data

    with pytest.raises(ValueError, match=message):
        as_image_data(given(shades(), tf), NAMES)
