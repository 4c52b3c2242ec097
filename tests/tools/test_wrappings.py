# SPDX-License-Identifier: MIT
"""VGG-19 in every way that people save and wrap it; run with --table, it prints what it has read.

The layouts are those that torch 2.15, timm 1.0.31, Keras 3.3 and 3.15 and tf_keras 2.21 write, made here by hand.
"""

import argparse
import io
import json
import struct
import sys
import unittest
import zipfile

import torch_files as make
import vgg19_layers as vgg
from test_convert_vgg19 import LAYERS, Folder, network, run, state_of
from toolkit import ToolError
from torch_files import Call, Object, Storage, np, rebuild

try:
    import h5py
except ImportError:
    raise unittest.SkipTest("h5py is missing: pip install -r tools/requirements.txt") from None

NETWORK = network()
STATE = state_of(NETWORK)
EXTRA = {"classifier.0.weight": np.ones((4, 8), "<f4"), "classifier.0.bias": np.ones(4, "<f4")}
TIMM = {"pre_logits.fc1.weight": np.ones((4, 8, 7, 7), "<f4"), "head.fc.weight": np.ones((2, 4), "<f4")}


def prefixed(before, arrays=STATE):
    return {before + name: array for name, array in arrays.items()}


def features_only(before=""):
    return {before + name.removeprefix("features."): array for name, array in STATE.items()}


# PyTorch: {wrapping: (state or function of (encoded state, storages), arrays)}

def pth(arrays=None, wrap=lambda state: state, write=make.zip_file, **options):
    state, storages = make.tensors({**STATE, **EXTRA} if arrays is None else arrays)
    return write(wrap(state), storages, **options)


def checkpoint(key):
    scalar = Call("numpy._core.multiarray", "scalar", Call("numpy", "dtype", "f8", False, True), b"12345678")
    arguments = Object("argparse", "Namespace", {"lr": 0.1, "arch": "vgg19"})
    return lambda state: {"epoch": 3, "loss": scalar, "args": arguments, "optimizer": {"state": {0: {"step": 7}}, "param_groups": []}, key: state}


def whole_module(state):
    children = {}
    for layer in LAYERS:
        parts = {part: state[f"{layer.name}.{part}"] for part in ("weight", "bias")}
        children[layer.name.removeprefix("features.")] = make.module("Conv2d", parts)
    return make.module("VGG", modules={"features": make.module("Sequential", modules=children)})


def negative(_):
    """conv1_1's weights stored with the other sign and the negative bit."""
    arrays = {**STATE, "features.0.weight": -STATE["features.0.weight"]}
    state, storages = make.tensors(arrays)
    tensor = state["features.0.weight"]
    return make.zip_file({**state, "features.0.weight": rebuild(*tensor.arguments[:4], {"neg": True})}, storages)


def typed(dtype):
    return {name: array.astype(dtype) for name, array in STATE.items()}


PYTORCH = {
    "state_dict()": pth(),
    "state_dict(), before PyTorch 1.6": pth(write=make.legacy_file),
    "features.state_dict()": pth(features_only()),
    "timm": pth({**STATE, **TIMM}),
    "without checksums": pth(checksums=False),
    "big-endian": pth(byteorder="big"),
    "negative bit": negative(None),
    "whole module": pth(STATE, whole_module),
    "whole module, before PyTorch 1.6": pth(STATE, whole_module, make.legacy_file),
    "torch.compile of a whole module": pth(wrap=lambda s: Call("torch._dynamo.eval_frame", "OptimizedModule", whole_module(s), None)),
    "(state, options)": pth(wrap=lambda state: (state, Object("argparse", "Namespace", {"lr": 0.1}))),
    "Lightning": pth(prefixed("model."), lambda state: {**checkpoint("state_dict")(state), "hyper_parameters": Object("m", "Mode", {"a": 1})}),
    "the same twice": pth(prefixed("a.") | prefixed("b.")),
    "f64": pth(typed("<f8")),
    "f16": pth(typed("<f2")),
    **{before: pth(prefixed(before)) for before in ("module.", "_orig_mod.", "model.", "_orig_mod.module.", "model.vgg.", "net.0.1.")},
    **{before: pth(features_only(before)) for before in ("features.module.", "module.features.module.", "backbone.")},
    **{f"under {key}": pth(wrap=checkpoint(key)) for key in ("state_dict", "model", "model_state_dict")},
    **{f"under {key}, before PyTorch 1.6": pth(wrap=checkpoint(key), write=make.legacy_file) for key in ("state_dict", "model")},
    "under state_dict, module.": pth(prefixed("module."), checkpoint("state_dict")),
    "whole module under model": pth(wrap=lambda state: checkpoint("model")(whole_module(state))),
}


# safetensors

def safetensors(arrays, dtype="F32"):
    code = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}.get(dtype)
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        raw = array.astype(code).tobytes() if code else (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


SAFETENSORS = {
    **{dtype: safetensors({**STATE, **EXTRA}, dtype) for dtype in ("F32", "F16", "BF16", "F64")},
    "timm": safetensors({**STATE, **TIMM}), "features.state_dict()": safetensors(features_only()),
    **{before: safetensors(prefixed(before)) for before in ("module.", "model.", "_orig_mod.module.")},
}


# Keras

def hdf5(datasets, attributes=()):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in datasets.items():
            file[name] = array
        for where, text in attributes:
            file[where].attrs["name"] = text
    return buffer.getvalue()


def kernel(layer):
    return NETWORK[layer.name][0].transpose(2, 3, 1, 0)


def by_name(pattern, before="", moments=""):
    """Keras 2: groups named after the layers; moments: the pattern of an optimiser's arrays of the same shapes."""
    found = {}
    for layer in LAYERS:
        parts = {"kernel": kernel(layer), "bias": NETWORK[layer.name][1]}
        for part, array in parts.items():
            found[before + pattern.format(layer.keras, part)] = array
            for moment in "mv" if moments else "":
                found[moments.format(moment, layer.keras, part)] = array * 1e-9
    return found


def by_number(before="", moments=""):
    """Keras 3: numbered by class."""
    found, count = {}, 0
    for number, layer in enumerate(LAYERS):
        for part, array in enumerate((kernel(layer), NETWORK[layer.name][1])):
            found[f"{before}layers/conv2d{f'_{number}' if number else ''}/vars/{part}"] = array
            for _ in range(2 if moments else 0):
                found[f"{moments}/vars/{count}"] = array * 1e-9
                count += 1
    return found


def named(before=""):
    return [(f"{before}layers/conv2d{f'_{number}' if number else ''}/vars", layer.keras) for number, layer in enumerate(LAYERS)]


def shuffled(datasets, attributes):
    """Named layers in another order than their numbers': what counts is the name."""
    def turn(where):
        for a, b in ((f"conv2d_{7}/", f"conv2d_{99}/"), (f"conv2d_{6}/", f"conv2d_{7}/"), (f"conv2d_{99}/", f"conv2d_{6}/")):
            where = (where + "/").replace(a, b).rstrip("/")
        return where

    return {turn(where): array for where, array in datasets.items()}, [(turn(where), text) for where, text in attributes]


def archive(weights, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", "{}")
        file.writestr("model.weights.h5", weights)
    return buffer.getvalue()


def bfloat16(datasets, say):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in datasets.items():
            bits = (array.astype("<f4").view("<u4") >> 16).astype("<u2")
            file[name] = np.ascontiguousarray(bits).view("V2")
            if say:
                file[name].attrs["dtype"] = "bfloat16"
    return buffer.getvalue()


NUMBERED, OPTIMISED = by_number(), by_number(moments="optimizer")
KERAS = {
    ".h5, save_weights of Keras 2": hdf5(by_name("{0}/{0}/{1}:0")),
    ".h5 of keras.applications": hdf5({name.replace("kernel", "W_1").replace("bias", "b_1"): array for name, array in by_name("{0}/{0}_{1}:0").items()}),
    ".h5 after Adam's fit, tf_keras": hdf5(by_name("{0}/{0}/{1}:0", "model_weights/", "optimizer_weights/Adam/{0}/{1}/{2}:0")),
    ".h5 after Adam's fit, Keras 2.3": hdf5(by_name("{0}/{0}/{1}:0", "model_weights/", "optimizer_weights/training/Adam/{1}/{2}/{0}:0")),
    ".h5 after Adam's fit, Keras 3": hdf5(by_name("{0}/{0}/{1}", "model_weights/", "optimizer_weights/adam/{1}_{2}_{0}")),
    ".h5 in a larger model, tf_keras": hdf5(by_name("{0}/{1}:0", "model_weights/vgg19/", "optimizer_weights/Adam/{0}/{1}/{2}:0")),
    ".weights.h5, tf_keras and Keras 3.3": hdf5(NUMBERED),
    ".weights.h5 after Adam's fit, Keras 3": hdf5(OPTIMISED, named()),
    ".weights.h5, layers in another order, Keras 3": hdf5(*shuffled(OPTIMISED, named())),
    ".weights.h5 in a larger model, Keras 3": hdf5({**by_number("layers/functional/", "layers/functional/optimizer"), "layers/dense/vars/0": np.ones((8, 2))},
                                                   named("layers/functional/")),
    ".weights.h5 in a larger model, tf_keras": hdf5({**by_number("layers/functional/", "optimizer"), "layers/conv2d/vars/0": np.ones((3, 3, 8, 2))}),
    ".keras after Adam's fit, tf_keras": archive(hdf5(OPTIMISED)),
    ".keras after Adam's fit, Keras 3": archive(hdf5(OPTIMISED, named())),
    ".weights.h5 in bf16": bfloat16(NUMBERED, True),
    ".h5 in bf16": bfloat16(by_name("{0}/{0}/{1}", "model_weights/"), False),
    ".h5 in f16": hdf5({name: array.astype("<f2") for name, array in by_name("{0}/{0}/{1}:0").items()}),
}
SOURCES = {"pth": PYTORCH, "safetensors": SAFETENSORS, "keras": KERAS}
EPSILON = {"f16": 2**-11, "F16": 2**-11, "BF16": 2**-7, ".weights.h5 in bf16": 2**-7, ".h5 in bf16": 2**-7, ".h5 in f16": 2**-11}


def read(path, prefix=""):
    kind = vgg.file_format(path)
    reader = {"pth": vgg.read_pth, "safetensors": lambda *which: vgg.read_safetensors(*which)[0]}.get(kind, vgg.read_keras)
    return kind, vgg.check_layers(reader(path, LAYERS, prefix), LAYERS, path)


class Wrappings(Folder):
    def test_every_wrapping(self):
        for kind, files in SOURCES.items():
            for name, data in files.items():
                with self.subTest(kind=kind, wrapping=name):
                    path = self.folder / "source"
                    path.write_bytes(data)
                    told, found = read(path)
                    self.assertEqual(told, "h5" if ".h5" in name else kind)
                    self.assertEqual(list(found), list(NETWORK))
                    for layer, arrays in NETWORK.items():
                        for got, expected in zip(found[layer], arrays):
                            np.testing.assert_allclose(got, expected, rtol=EPSILON.get(name, 0), atol=1e-7 if name in EPSILON else 0)


class Refusals(Folder):
    def refused(self, data, words, prefix=""):
        path = self.folder / "source"
        path.write_bytes(data)
        with self.assertRaisesRegex(ToolError, words):
            read(path, prefix)
        return path

    def test_what_there_is_instead_is_listed(self):
        other = {f"layer{i}.conv.weight": np.ones((4, 3, 7, 7), "<f4") for i in range(20)}
        words = r"source: has no features.0.weight of VGG-19.*it holds layer0.conv.weight \(4, 3, 7, 7\), layer1.*, layer7.* and 12 more"
        self.refused(pth(other), words)
        self.refused(safetensors(other), words)
        self.refused(hdf5({"conv1/kernel:0": np.ones((7, 7, 3, 4))}), r"has no features.0 .*it holds conv1/kernel:0 \(7, 7, 3, 4\)$")
        self.refused(pth({}, lambda state: [1, 2]), "it holds no tensors")
        moments = {name: array for name, array in by_name("{0}/{0}/{1}:0", "x/", "optimizer_weights/Adam/{0}/{1}/{2}:0").items() if name[0] == "o"}
        self.refused(hdf5(moments), "it holds no tensors")
        broken = {name: array for name, array in STATE.items() if "features.14." not in name}
        self.refused(pth(prefixed("model.", broken)), r"has no features.14 \(block3_conv3\); VGG-19 up to conv5_1 is needed")
        self.refused(pth({**STATE, "features.1.running_mean": np.ones(4, "<f4"), "features.2.weight": np.ones(4, "<f4")}), "batch normalisation")
        self.refused(pth(typed("<i8")), "not numbers with a fraction")

    def test_two_networks_that_differ(self):
        two = prefixed("model.") | {name: array + 1 for name, array in prefixed("model_ema.").items()}
        words = "holds 2 networks that differ in features.0: model.features, model_ema.features; choose one with --prefix"
        for data in (pth(two), safetensors(two)):
            path = self.refused(data, words)
            np.testing.assert_array_equal(read(path, "model_ema")[1]["features.0"][0], NETWORK["features.0"][0] + 1)
            np.testing.assert_array_equal(read(path, "model.")[1]["features.0"][0], NETWORK["features.0"][0])
        both = by_name("{0}/{0}/{1}:0", "a/") | {name: array + 1 for name, array in by_name("{0}/{0}/{1}:0", "b/").items()}
        self.assertEqual(read(self.refused(hdf5(both), "holds 2 networks that differ in features.0: a, b; choose"), "b/")[0], "h5")

    def test_two_arrays_for_one_layer(self):
        kept = by_name("{0}/{0}/{1}:0") | {"block3_conv2/ema/kernel:0": kernel(LAYERS[5]) * 0.5}
        self.refused(hdf5(kept), "holds different arrays for features.12: block3_conv2/block3_conv2/kernel:0, block3_conv2/ema/kernel:0")
        kept["block3_conv2/ema/kernel:0"] = kernel(LAYERS[5])
        path = self.folder / "same.h5"
        path.write_bytes(hdf5(kept))
        self.assertEqual(len(read(path)[1]), 16)

    def test_keras_files_that_are_something_else(self):
        self.refused(archive(hdf5(NUMBERED), zipfile.ZIP_DEFLATED), "model.weights.h5 is compressed")
        self.refused(archive(hdf5(NUMBERED))[:-30], "cut short")
        self.refused(archive(b"no hdf5"), "damaged or cut short")
        self.refused(hdf5({**by_name("{0}/{0}/{1}:0"), "block4_conv1/block4_conv1/kernel:0": np.ones((3, 3, 6, 9))}),
                     "block4_conv1/kernel:0 has shape .*it is another network")
        self.refused(hdf5({name: array.astype("i4") for name, array in NUMBERED.items()}), "holds int32, not real numbers")
        few = {name: array for name, array in NUMBERED.items() if "conv2d_7" not in name}
        self.refused(hdf5(few), "has no features.16")

    def test_tensors_that_are_not_plain(self):
        state, storages = make.tensors(STATE)
        weight = state["features.0.weight"].arguments
        for tensor, words in [(Call("torch._utils", "_rebuild_qtensor", *weight), "features.0.weight is made by 'torch._utils._rebuild_qtensor'"),
                              (Call("torch._utils", "_rebuild_sparse_tensor", 1, (2,)), "_rebuild_sparse_tensor"),
                              (Call("torch._utils", "_rebuild_tensor_v3", *weight[:4], False, None, 1), "_rebuild_tensor_v3"),
                              (rebuild(*weight[:4], {"backend": 1}), "_rebuild_tensor_v2 with 'backend'")]:
            self.refused(make.zip_file({**state, "features.0.weight": tensor}, storages), words)
            self.assertEqual(read_beside(self.folder, state, storages, tensor), 16)
        flags = Storage("c", np.ones((4, 3, 3, 3), "<c8"))
        weird = rebuild(flags, 0, (4, 3, 3, 3), (27, 9, 3, 1), {"conj": True})
        self.refused(make.zip_file({**state, "features.0.weight": weird}, [*storages, flags]), "complex64")

    def test_the_program_says_what_the_file_has(self):
        path = self.folder / "resnet.pth"
        path.write_bytes(pth({"conv1.weight": np.ones((4, 3, 7, 7), "<f4")}))
        self.one_line_error(run("convert_vgg19.py", path, "-o", self.folder / "o"), "conv1.weight (4, 3, 7, 7)")
        path.write_bytes(pth(prefixed("a.") | {name: array + 1 for name, array in prefixed("b.").items()}))
        self.one_line_error(run("convert_vgg19.py", path, "--prefix", "c", "-o", self.folder / "o"), "it holds a.features.0.weight")


def read_beside(folder, state, storages, tensor):
    """How many layers are read where such a tensor is not one of them."""
    path = folder / "beside"
    path.write_bytes(make.zip_file({**state, "beside": tensor}, storages))
    return len(read(path)[1])


def table():
    """Every wrapping, as it was read: a row each."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        for kind, files in SOURCES.items():
            for name, data in files.items():
                path = Path(folder) / "source"
                path.write_bytes(data)
                _, found = read(path)
                largest = max(float(abs(a - b).max()) for layer in NETWORK for a, b in zip(found[layer], NETWORK[layer]))
                print(f"{kind:12} {name:48} {len(found)} convolutions, largest difference {largest:.2g}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", action="store_true")
    if parser.parse_known_args()[0].table:
        sys.exit(table())
    unittest.main()
