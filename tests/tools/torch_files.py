# SPDX-License-Identifier: MIT
"""Writes torch.save files by hand, opcode by opcode, so that the tests need no PyTorch (and can write bad ones)."""

import io
import pickle
import struct
import sys
import unittest
import zipfile
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

try:
    import numpy as np
except ImportError:
    raise unittest.SkipTest("numpy is missing: pip install -r tools/requirements.txt") from None

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<f2": "HalfStorage", "|u1": "ByteStorage",
            "<i8": "LongStorage", "|b1": "BoolStorage", "<c8": "ComplexFloatStorage", "<c16": "ComplexDoubleStorage", "|i1": "QInt8Storage",
            "<u2": "BFloat16Storage"}


class Raw(bytes):
    """Opcodes to be put into a pickle as they are."""


class Call:
    def __init__(self, module, name, *arguments):
        self.module, self.name, self.arguments = module, name, arguments


class Object:
    """An instance as Python pickles it: made without its constructor's arguments, then given its attributes."""

    def __init__(self, module, name, state):
        self.module, self.name, self.state = module, name, state


class Storage:
    def __init__(self, key, array, count=None):
        self.key, self.array = key, array
        self.count = array.size if count is None else count


def name_opcode(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def encode(value):
    """The opcodes (protocol 2) that push `value`."""
    if isinstance(value, Raw):
        return bytes(value)
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        data = value.to_bytes(max(1, value.bit_length() // 8 + 1), "little", signed=True)
        return b"\x8a" + bytes([len(data)]) + data
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return b"C" + bytes([len(value)]) + value
    if isinstance(value, str):
        data = value.encode()
        return b"X" + struct.pack("<I", len(data)) + data
    if isinstance(value, tuple):
        return b"(" + b"".join(map(encode, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(encode, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(encode(key) + encode(item) for key, item in value.items()) + b"u"
    if isinstance(value, Call):
        return name_opcode(value.module, value.name) + encode(value.arguments) + b"R"
    if isinstance(value, Object):
        return name_opcode(value.module, value.name) + b")\x81" + encode(value.state) + b"b"
    if isinstance(value, Storage):
        kind = Raw(name_opcode("torch", STORAGES[value.array.dtype.str]))
        return encode(("storage", kind, value.key, "cpu", value.count)) + b"Q"
    if isinstance(value, np.ndarray):
        raise TypeError("wrap arrays with tensors()")
    raise TypeError(type(value))


def pickled(value):
    return b"\x80\x02" + encode(value) + b"."


def rebuild(storage, offset, shape, strides, *metadata):
    return Call("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False,
                Call("collections", "OrderedDict"), *metadata)


def module(name, parameters=None, modules=None):
    """A torch.nn.Module as torch.save(module) pickles it; parameters are tensors to encode."""
    wrapped = {key: Call("torch._utils", "_rebuild_parameter", tensor, True, Call("collections", "OrderedDict"))
               for key, tensor in (parameters or {}).items()}
    state = {"training": True, "_parameters": wrapped, "_buffers": {}, "_modules": modules or {}, "in_channels": 3}
    return Object("torch.nn.modules", name, state)


def tensors(arrays):
    """({name: tensor to encode}, [storages]) for {name: array}."""
    state, storages = {}, []
    for number, (name, array) in enumerate(arrays.items()):
        array = np.asarray(array, order="C")
        storage = Storage(str(number), array)
        strides = tuple(stride // array.itemsize for stride in array.strides)
        state[name] = rebuild(storage, 0, array.shape, strides)
        storages.append(storage)
    return state, storages


def zip_file(state, storages, folder="archive", compression=zipfile.ZIP_STORED, byteorder="little", checksums=True):
    """checksums=False: as after torch.serialization.set_crc32_options(False), all of them 0."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr(f"{folder}/data.pkl", pickled(state))
        archive.writestr(f"{folder}/byteorder", byteorder)
        for storage in storages:
            array = storage.array.byteswap() if byteorder == "big" else storage.array
            archive.writestr(f"{folder}/data/{storage.key}", array.tobytes())
        archive.writestr(f"{folder}/version", "3\n")
        entries = archive.infolist()
    data = bytearray(buffer.getvalue())
    if not checksums:
        place = archive.start_dir
        for info in entries:
            data[info.header_offset + 14:info.header_offset + 18] = bytes(4)
            data[place + 16:place + 20] = bytes(4)
            place += 46 + len(info.filename) + len(info.extra) + len(info.comment)
    return bytes(data)


def legacy_file(state, storages, system=None, protocol=1001, keys=None):
    parts = [MAGIC, protocol, system or {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}, state,
             [storage.key for storage in storages] if keys is None else keys]
    data = b"".join(map(pickled, parts))
    return data + b"".join(struct.pack("<q", s.count) + s.array.tobytes() for s in storages)


def hostile_pickle(callable_, *arguments):
    """What Python's own pickle writes for an object that runs callable_(*arguments) when loaded."""

    class Trap:
        def __reduce__(self):
            return callable_, arguments

    return pickle.dumps({"features.0.weight": Trap()}, protocol=2)
