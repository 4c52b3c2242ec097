# SPDX-License-Identifier: MIT
"""Scales VGG-19's filters so that each one's mean activation is about 1, as Gatys et al. (2016) did.

A network of convolutions, ReLUs and poolings passes positive factors through unchanged: dividing a filter and its bias
by s divides its activation by s, and multiplying the next layer's weights for that channel by s undoes it.
So the network computes the same function up to one factor per channel, and no layer's activations dwarf another's.

They averaged over ImageNet; here six photographs have to do. A filter for blue that meets no blue would be divided by next to
nothing and then outshout its layer on a picture that is blue (measured: 98 % of the style loss). So each photograph is
seen in all six orders of its colour channels, and no filter's mean may be above 2 on any one of these views.

All of it is computed in f64 and rounded once at the end, so that the result does not depend on the machine.
"""

import io
import itertools
import time

import numpy as np
from PIL import Image
from toolkit import ToolError
from vgg19_layers import MEAN, STD

SIZE = 224
CHUNK_BYTES = 64 << 20
HIGHEST_MEAN = 2.0  # on any one view, where the mean over all views is 1
HARDLY_FIRES = 0.01  # of its layer's median


def load_views(data, name, size=SIZE):
    """One x (3, size, size) in f64 per order of the colour channels; a grey picture has one view.

    The shorter side is resized to `size`, the centre is cut out, and lilypad's normalisation applied.
    """
    try:
        picture = Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise ToolError(f"{name}: not a picture that can be read ({error})") from None
    scale = size / min(picture.size)
    width, height = (max(size, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    rgb = np.asarray(picture.crop((left, top, left + size, top + size)), dtype=np.float64) / 255
    grey = (rgb[..., :1] == rgb).all()
    orders = [(0, 1, 2)] if grey else itertools.permutations(range(3))
    return [((rgb[..., order] - MEAN) / STD).transpose(2, 0, 1) for order in orders]


def conv3x3(x, weight, bias):
    """x (I, H, W), weight (O, I, 3, 3) -> (O, H, W): zero padding 1, as im2col and one product per strip of rows."""
    inputs, height, width = x.shape
    padded = np.zeros((inputs, height + 2, width + 2))
    padded[:, 1:-1, 1:-1] = x
    matrix = weight.reshape(len(weight), -1)
    y = np.empty((len(weight), height, width))
    strip = max(1, CHUNK_BYTES // (inputs * 9 * width * 8))
    for top in range(0, height, strip):
        rows = min(strip, height - top)
        columns = np.empty((inputs, 3, 3, rows, width))
        for i in range(3):
            for j in range(3):
                columns[:, i, j] = padded[:, top + i:top + i + rows, j:j + width]
        y[:, top:top + rows] = (matrix @ columns.reshape(inputs * 9, -1)).reshape(-1, rows, width)
    return y + bias[:, None, None]


def max_pool(x):
    """2x2, stride 2; an odd last row or column is dropped, as in PyTorch."""
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    x = x[:, :height, :width]
    return np.maximum(np.maximum(x[:, ::2, ::2], x[:, 1::2, ::2]), np.maximum(x[:, ::2, 1::2], x[:, 1::2, 1::2]))


def forward(network, layers, x):
    """Yields (layer name, activation after the ReLU) for every layer that the network has."""
    for layer in layers[:len(network)]:
        if layer.pool_before:
            x = max_pool(x)
        x = np.maximum(conv3x3(x, *network[layer.name]), 0)
        yield layer.name, x


def mean_activations(network, layers, pictures, log=print):
    """{layer: (V, O)}: each filter's mean over all positions, for every view; pictures are (name, [view, ...])."""
    means = {layer.name: [] for layer in layers[:len(network)]}
    for number, (name, views) in enumerate(pictures, 1):
        start = time.monotonic()
        for x in views:
            for layer_name, activation in forward(network, layers, x):
                means[layer_name].append(activation.mean(axis=(1, 2)))
        log(f"  picture {number} of {len(pictures)}: {name}, {len(views)} views, {time.monotonic() - start:.1f} s")
    return {name: np.array(rows) for name, rows in means.items()}


def filter_scales(means):
    """What to divide each filter of a layer by, from means (V, O): its mean over all views, or half its highest.

    A filter that never or hardly fires says nothing about its own scale; it gets that of its layer's median filter.
    """
    scale = np.maximum(means.mean(axis=0), means.max(axis=0) / HIGHEST_MEAN)
    median = np.median(scale)
    return np.where(scale > HARDLY_FIRES * median, scale, median if median > 0 else 1.0)


def normalise(network, layers, means):
    """The network with every filter divided by its scale, which the next layer's weights undo."""
    scaled, before = {}, None
    for layer in layers[:len(network)]:
        weight, bias = network[layer.name]
        scale = filter_scales(means[layer.name])
        if before is not None:
            weight = weight * before[None, :, None, None]
        scaled[layer.name] = (weight / scale[:, None, None, None], bias / scale)
        before = scale
    return scaled
