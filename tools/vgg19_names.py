# SPDX-License-Identifier: MIT
"""Finds VGG-19 among the tensors of a file, whatever stands before its names.

PyTorch's names tell where in a program a tensor lay: `features.0.weight` in torchvision and timm, `0.weight` where the
features alone were saved, and with wrappers around the model `module.`, `_orig_mod.`, `model.`, `state_dict.model.`,
`features.module.` and any mixture. What counts is the end, `NUMBER.weight`, and that the shapes are VGG-19's.
"""

import re

import numpy as np
from toolkit import ToolError, one_line

NAME = re.compile(r"(?:(.*)\.)?(\d{1,3})\.(weight|bias)", re.DOTALL)
LISTED = 8


def shape_of(entry):
    return getattr(entry, "shape", None)  # None: not a tensor


def shapes_fit(group, layers, entries):
    """How many of VGG-19's convolutions, from the first on, are in the group with both parts in their shapes."""
    for count, layer in enumerate(layers):
        parts = group.get(layer.name, {})
        if [shape_of(entries.get(parts.get(part))) for part in ("weight", "bias")] != [
                (layer.outputs, layer.inputs, 3, 3), (layer.outputs,)]:
            return count
    return len(layers)


def listing(entries):
    """What a file holds instead, short enough for one line."""
    if not entries:
        return "it holds no tensors"
    some = [f"{one_line(name)[:60]} {tuple(entry.shape)}" if shape_of(entry) is not None else
            f"{one_line(name)[:60] or 'its root'} (made by {entry.dotted[:60]})" for name, entry in list(entries.items())[:LISTED]]
    more = f" and {len(entries) - LISTED} more" if len(entries) > LISTED else ""
    return f"it holds {', '.join(some)}{more}"


def find_networks(entries, layers, required, path, prefix=""):
    """{what stands before the numbers: {layer: (name of the weight, name of the bias)}} for each VGG-19 in entries.

    entries: {name: something with a shape}; of the layers the first `required` must be there. Where there is no
    VGG-19, the network that is most like it, whose difference the reader of its numbers then names. Throws where there is
    nothing like it.
    """
    numbers = {layer.name.split(".")[1]: layer for layer in layers}
    groups = {}
    for name in entries:
        match = NAME.fullmatch(name)
        if match and match[2] in numbers and name.startswith(prefix):
            groups.setdefault(match[1] or "", {}).setdefault(numbers[match[2]].name, {})[match[3]] = name
    fits = {before: shapes_fit(group, layers, entries) for before, group in groups.items()}
    chosen = [before for before in groups if fits[before] >= required]
    if not chosen:
        def is_like(before):
            first = entries.get(groups[before].get(layers[0].name, {}).get("weight"))
            shape = shape_of(first)
            return first is not None and (shape is None or len(shape) == 4 and shape[1] == 3)

        chosen = sorted(filter(is_like, groups), key=fits.get)[-1:]
        if not chosen:
            raise ToolError(f"{path}: has no {layers[0].name}.weight of VGG-19, whatever stands before it; {listing(entries)}")
        if f"{chosen[0]}.1.running_mean".lstrip(".") in entries:
            raise ToolError(f"{path}: is VGG with batch normalisation (vgg19_bn); the one without is needed")
    return {before: {layer: (parts["weight"], parts["bias"]) for layer, parts in groups[before].items() if len(parts) == 2}
            for before in chosen}


def the_one(networks, path):
    """The network of {where: {layer: (weight, bias)}}: where there are several, they must hold the same numbers."""
    where = max(networks, key=lambda name: len(networks[name]))
    for other, layers in networks.items():
        for layer in (layer for layer in layers if layer in networks[where]):
            if not all(np.array_equal(*pair, equal_nan=pair[0].dtype.kind == "f") for pair in zip(layers[layer], networks[where][layer])):
                raise ToolError(f"{path}: holds {len(networks)} networks that differ in {layer}: {', '.join(one_line(name or '(root)') for name in networks)}; "
                                "choose one with --prefix")
    return networks[where]
