# SPDX-License-Identifier: MIT
"""Reads VGG-19 from what Keras 2 and 3 save: `.h5`, `.weights.h5`, and `.keras`, a zip file with the latter in it.

A convolution's kernel (3, 3, in, out) and bias lie

    .h5            [model_weights/][MODEL/]block1_conv1/…/kernel:0 and bias:0 (Keras 3: without :0)
    .weights.h5    [layers/MODEL/]layers/conv2d_4/vars/0 and 1, numbered in the order of the layers; Keras 3.6 and later write
                   the layer's name, block3_conv1, as the attribute `name` of vars

and what an optimiser keeps lies in groups named after it: Adam's moments are arrays of the same shapes, tf_keras even calls
them optimizer_weights/Adam/v/block1_conv1/kernel:0. Nothing below such a group is read.
"""

import io
import re
import zipfile

import numpy as np
from toolkit import ToolError, explain_os_error, one_line
from vgg19_names import listing, the_one

MEMBER = "model.weights.h5"  # of a .keras
NUMBERED = re.compile(r"conv2d(?:_(\d+))?")
PARTS = {1: "bias", 4: "kernel"}  # by the number of dimensions


class Entry:
    """One array of the file, not yet read."""

    def __init__(self, dataset, layer_name):
        self.shape, self.dtype, self.layer_name = dataset.shape, dataset.dtype, layer_name


def is_optimiser(where):
    return any("optimizer" in part for part in where.split("/"))


def arrays_in(file, h5py):
    """{path: Entry} of all arrays but an optimiser's. Follows no external or soft links."""
    found = {}

    def visit(where, item):
        if isinstance(item, h5py.Dataset) and not is_optimiser(where):
            name = item.parent.attrs.get("name")
            found[where] = Entry(item, name if isinstance(name, str) else None)

    file.visititems(visit)
    return found


def place(where, entry, names):
    """(what stands before the layer, its name or number) of an array, or None."""
    parts = where.split("/")
    if entry.layer_name in names and len(parts) >= 3 and parts[-2] == "vars":
        return "/".join(parts[:-3]), entry.layer_name
    for i, part in enumerate(parts[:-1]):
        if part in names:
            return "/".join(parts[:i]), part
    if len(parts) >= 3 and parts[-2] == "vars" and (match := NUMBERED.fullmatch(parts[-3])):
        return "/".join(parts[:-3]), int(match[1] or 0)
    return None


def group_networks(entries, layers):
    """{what stands before the layers: {layer: {"kernel": [paths], "bias": [paths]}}}, of arrays with VGG-19's shapes, and
    a line on the first array whose shape is another."""
    names = {layer.keras: layer for layer in layers}
    groups, other = {}, None
    for where, entry in entries.items():
        found = place(where, entry, names)
        if found is None or len(entry.shape) not in PARTS:
            continue
        before, key = found
        layer = names[key] if key in names else layers[key] if key < len(layers) else None
        if layer is None:
            continue
        expected = (layer.outputs,) if len(entry.shape) == 1 else (3, 3, layer.inputs, layer.outputs)
        if entry.shape == expected:  # compared before the data is read, so that a huge claim costs nothing
            parts = groups.setdefault(before, {}).setdefault(layer.name, {"kernel": [], "bias": []})
            parts[PARTS[len(entry.shape)]].append(where)
        else:
            other = other or f"{one_line(where)} has shape {entry.shape}, VGG-19's is {expected}"
    return groups, other


def read_network(file, path, layers, required, h5py, prefix):
    entries = arrays_in(file, h5py)
    groups, other = group_networks({where: entry for where, entry in entries.items() if where.startswith(prefix)}, layers)
    whole = {before: {name: parts for name, parts in group.items() if all(parts.values())} for before, group in groups.items()}
    wanted = [layer.name for layer in layers[:required]]
    chosen = [before for before, group in whole.items() if all(name in group for name in wanted)]
    if not chosen:
        if other:
            raise ToolError(f"{path}: {other}; it is another network")
        chosen = sorted(whole, key=lambda before: len(whole[before]))[-1:]
        if not chosen:
            raise ToolError(f"{path}: has no {layers[0].name} (block1_conv1, or conv2d) of VGG-19; {listing(entries)}")

    def read(name, places):
        arrays = [numbers(file[where], where, path) for where in places]
        if any(not np.array_equal(arrays[0], array) for array in arrays[1:]):
            raise ToolError(f"{path}: holds different arrays for {name}: {', '.join(map(one_line, places))}")
        return arrays[0]

    networks = {before: {name: (read(name, parts["kernel"]).transpose(3, 2, 0, 1), read(name, parts["bias"]))
                         for name, parts in whole[before].items()} for before in chosen}
    return the_one(networks, path)


def numbers(dataset, where, path):
    """The array. HDF5 has no bfloat16: Keras writes it as two opaque bytes, and .weights.h5 says so in an attribute."""
    array, kind = dataset[()], dataset.attrs.get("dtype", "bfloat16")
    if array.dtype == "V2" and kind == "bfloat16":
        return (array.view("<u2").astype("<u4") << 16).view("<f4")
    if array.dtype.kind != "f":
        raise ToolError(f"{path}: {one_line(where)} holds {array.dtype}, not real numbers")
    return array


def read_keras(path, layers, required, prefix=""):
    """{layer: (weight (out, in, 3, 3), bias)} of a file of Keras."""
    try:
        import h5py
    except ImportError:
        raise ToolError("reading Keras' files needs h5py; install it with: pip install -r tools/requirements.txt") from None
    try:
        with h5py.File(open_weights(path), "r") as file:
            return read_network(file, path, layers, required, h5py, prefix)
    except OSError as error:
        if error.errno:
            raise explain_os_error(error, path, "read") from None
        raise ToolError(f"{path}: damaged or cut short ({one_line(error)})") from None
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ToolError(f"{path}: damaged or not Keras weights ({one_line(error)})") from None


def open_weights(path):
    """The path of an HDF5 file, or the bytes of the one in a .keras. Keras does not compress it, nor may others: no zip bombs."""
    if not zipfile.is_zipfile(path):
        return path
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(MEMBER)
            if info.compress_type != zipfile.ZIP_STORED:
                raise ToolError(f"{path}: {MEMBER} is compressed, so Keras did not write it; unpack the file and convert {MEMBER}")
            return io.BytesIO(archive.read(info))
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ToolError(f"{path}: damaged or cut short ({one_line(error)})") from None
