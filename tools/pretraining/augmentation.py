"""What a network sees of the source's images: drawn by NumPy for each step, computed on the device with the step."""

import numpy as np
from PIL import Image

SIDE = 64  # height and width of Tiny ImageNet's images, in pixels
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue: ITU-R BT.601
LIGHT = 0.2  # brightness and contrast change by at most this share
STYLES = ("grey", "posterised", "edges")


def sampling(start, length, size):
    "Weights (n, size, 64) that read `length` pixels from `start`, through a triangle as wide as the step or one pixel"
    step = (length / size)[:, None, None]
    centres = start[:, None, None] + (np.arange(size)[:, None] + 0.5) * step
    weights = np.maximum(1 - np.abs(np.arange(SIDE) + 0.5 - centres) / np.maximum(step, 1), 0)
    return (weights / weights.sum(axis=2, keepdims=True)).astype(np.float32)


def draw(rng, number, size, recipe):
    "What happens to each image of a step, as arrays for `shown`; for what the recipe leaves out there is none"
    area = rng.uniform(recipe.smallest_crop, 1, number)
    ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3), number))
    width, height = (np.minimum(np.sqrt(area * way) * SIDE, SIDE) for way in (ratio, 1 / ratio))
    left, top = ((SIDE - length) * rng.random(number) for length in (width, height))
    columns, rows = sampling(left, width, size), sampling(top, height, size)
    flip = rng.random(number) < 0.5
    columns[flip] = columns[flip, ::-1]
    brightness, contrast = 1 + rng.uniform(-LIGHT, LIGHT, (2, number))
    saturation = 1 + rng.uniform(-recipe.saturation, recipe.saturation, number)
    drawn = {"rows": rows, "columns": columns, "brightness": brightness.astype(np.float32)}
    if recipe.styles:
        style = np.where(rng.random(number) < recipe.styles, rng.integers(0, len(STYLES), number), -1)
        drawn["style"] = (style[:, None] == np.arange(len(STYLES))).astype(np.float32)
        drawn["levels"] = rng.integers(3, 6, number).astype(np.float32)
        saturation[style == STYLES.index("grey")] = 0
    drawn["colour"] = colour_matrices(contrast, saturation)
    if recipe.mix_up or recipe.cut_mix:
        drawn |= draw_mixing(rng, number, size, recipe)
    return drawn


def colour_matrices(contrast, saturation):
    "Matrices (n, 3, 3) from the colour of a pixel, as a row and seen from the mean, to the changed one"
    matrices = saturation[:, None, None] * np.eye(3) + (1 - saturation[:, None, None]) * LUMINANCE[:, None]
    return (contrast[:, None, None] * matrices).astype(np.float32)


def draw_mixing(rng, number, size, recipe):
    "Which image covers each one, and how much of each row and column of pixels: their product is what is covered"
    kind = rng.random(number)
    faded, cut = kind < recipe.mix_up, kind >= 1 - recipe.cut_mix
    share = rng.beta(0.4, 0.4, number)
    rows, columns = np.zeros((2, number, size), np.float32)
    rows[faded] = np.minimum(share, 1 - share)[faded, None]
    columns[faded] = 1
    length = size * np.sqrt(rng.random(number))
    for cover in (rows, columns):
        start = (size - length) * rng.random(number)
        place = np.arange(size) + 0.5 - start[:, None]
        cover[cut] = ((place >= 0) & (place < length[:, None]))[cut]
    return {"partner": rng.permutation(number).astype(np.int32), "covered rows": rows, "covered columns": columns}


def mixed(targets, drawn):
    "Targets (n, values) of images that `shown` mixes, mixed by the shares of their areas"
    if "partner" not in drawn:
        return targets
    covered = (drawn["covered rows"].mean(axis=1) * drawn["covered columns"].mean(axis=1))[:, None]
    return (1 - covered) * targets + covered * targets[drawn["partner"]]


def shown(drawn):
    "Images (n, size, size, 3), 0 to 255, float32: `drawn['pixels']` (n, 64, 64, 3) as `draw` says"
    from keras import ops

    drawn = {name: ops.convert_to_tensor(value) for name, value in drawn.items()}
    images = ops.einsum("nhy,nyxc->nhxc", drawn["rows"], ops.cast(drawn["pixels"], "float32"))
    images = ops.einsum("nwx,nhxc->nhwc", drawn["columns"], images)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    images = ops.einsum("nhwk,nkc->nhwc", images - mean, drawn["colour"])
    images = ops.clip(images + mean * drawn["brightness"][:, None, None, None], 0, 255)
    if "style" in drawn:
        images = in_styles(images, drawn["style"], drawn["levels"])
    if "partner" in drawn:
        cover = drawn["covered rows"][:, :, None, None] * drawn["covered columns"][:, None, :, None]
        images = images + cover * (ops.take(images, drawn["partner"], axis=0) - images)
    return images


def in_styles(images, style, levels):
    "The images, those posterised that shall be, and those as dark edges on white; grey ones are grey already"
    from keras import ops

    step = (256 / levels)[:, None, None, None]
    posterised = (ops.floor(images / step) + 0.5) * step
    grey = ops.mean(images, axis=3, keepdims=True)
    down = ops.pad(grey[:, 1:] - grey[:, :-1], ((0, 0), (0, 1), (0, 0), (0, 0)))
    across = ops.pad(grey[:, :, 1:] - grey[:, :, :-1], ((0, 0), (0, 0), (0, 1), (0, 0)))
    edges = ops.clip(255 - 3 * (ops.abs(down) + ops.abs(across)), 0, 255)
    for kind, drawing in (("posterised", posterised), ("edges", edges)):
        chosen = style[:, STYLES.index(kind)][:, None, None, None]
        images = images + chosen * (drawing - images)
    return images


def turned(pixels, rng, share, degrees=15, shear=0.15):
    "A copy of pixels (n, 64, 64, 3), this share of the images turned and sheared about the middle"
    pixels = pixels.copy()
    for number in np.flatnonzero(rng.random(len(pixels)) < share):
        angle = np.radians(rng.uniform(-degrees, degrees))
        along = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        along = along @ [[1, rng.uniform(-shear, shear)], [0, 1]]
        moved = (SIDE / 2) * (1 - along.sum(axis=1))
        coefficients = [*along[0], moved[0], *along[1], moved[1]]
        filled = tuple(int(value) for value in pixels[number].mean(axis=(0, 1)))
        image = Image.fromarray(pixels[number])
        image = image.transform(
            (SIDE, SIDE), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=filled
        )
        pixels[number] = np.asarray(image)
    return pixels
