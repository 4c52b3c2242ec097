# SPDX-License-Identifier: MIT
"""Reads the tensors of a `torch.save` file without PyTorch and without running anything (pickle_machine.py).

Both forms of torch.save are read: the zip archive and the older sequence of pickles with raw storages behind it; state
dictionaries, checkpoints that hold one somewhere, whole modules, and TorchScript's archives.
Sizes are compared with the bytes that are there before anything is allocated.
"""

import io
import re
import struct
import zipfile
import zlib

from pickle_machine import Machine, Opaque, PickleRefused, Tensor
from toolkit import explain_os_error, one_line

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_PICKLE_BYTES = 16 << 20
MAX_DEPTH = 24
MAX_NAME = 300
MODULE_PARTS = ("_parameters", "_buffers", "_modules")


def everything(values):
    return list(values)


def load_state_dict(path, choose=everything):
    """{name: array} of a torch.save file, for the names that choose({name: Tensor or Opaque}) gives.

    Names are joined by dots from the root on: a checkpoint's are "state_dict.features.0.weight".
    """
    try:
        with open(path, "rb") as file:
            return load_from_stream(file, path, choose)
    except OSError as error:
        raise explain_os_error(error, path, "read") from None


def load_from_stream(file, name, choose=everything):
    """The same from an open file or BytesIO; `name` is for the errors."""
    try:
        size = file.seek(0, 2)
        file.seek(0)
        if not size:
            raise PickleRefused("the file is empty")
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        return (read_zip if is_zip else read_legacy)(file, size, choose)
    except PickleRefused as error:
        raise PickleRefused(f"{name}: {error}") from None


def children(value):
    """(key, value) of what holds others. Of a module only what its state dictionary would have, under the same names."""
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, (list, tuple)):
        return enumerate(value)
    parts = [value.state[part] for part in MODULE_PARTS if part in value.state]
    if not parts:
        return [*value.contents.items(), *value.state.items(), *enumerate(value.arguments)]
    return [item for part in parts for item in getattr(part, "contents", part if isinstance(part, dict) else {}).items()]


def flatten(root):
    """{dotted name: Tensor, or Opaque that is not known to hold any} of all that the pickle holds, the shallowest first.

    Each container is entered once, under the first of its names, so that those that hold themselves come to an end.
    What lies deeper or has a longer name than any module's is left out.
    """
    found, entered, level = {}, set(), [("", root)]
    for _ in range(MAX_DEPTH):
        deeper = []
        for name, value in level:
            if isinstance(value, Tensor) or isinstance(value, Opaque) and not (value.contents or value.state):
                found.setdefault(name, value)
            if isinstance(value, (dict, list, tuple, Opaque)) and id(value) not in entered:
                entered.add(id(value))
                short = [(key, item) for key, item in children(value) if not isinstance(key, str) or len(key) <= MAX_NAME]
                deeper += [(f"{name}.{key}" if name else str(key), item) for key, item in short]
        level = [(name, value) for name, value in deeper if len(name) <= MAX_NAME]
    return found


def choose_tensors(root, choose):
    """{name: Tensor} of the names that choose() gives; refuses those that are something else."""
    found = flatten(root)
    chosen = {name: found[name] for name in choose(found)}
    for name, value in chosen.items():
        if isinstance(value, Opaque):
            raise PickleRefused(f"{one_line(name)} is made by {value.dotted!r}; only tensors are read, nothing is run")
    return chosen


def read_zip(file, size, choose):
    """PyTorch 1.6 and later: <folder>/data.pkl and <folder>/data/<key>, uncompressed."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename: info for info in archive.infolist()}
            # torch.serialization.set_crc32_options(False) leaves every checksum 0.
            has_checksums = any(info.CRC for info in members.values())
            pickles = [name for name in members if re.fullmatch(r"[^/]+/data\.pkl", name)]
            if len(pickles) != 1:
                raise PickleRefused("the zip file has no data.pkl, so torch.save did not write it")
            folder = pickles[0][: -len("data.pkl")]
            if sum(info.compress_size for info in members.values()) > size:
                raise PickleRefused("the zip file claims more bytes than it has")
            if members[pickles[0]].file_size > MAX_PICKLE_BYTES:
                raise PickleRefused("its pickle is far longer than a list of tensors")

            def read(info):
                # torch.save compresses neither pickle nor numbers; refusing compression also refuses zip bombs.
                if info.compress_type != zipfile.ZIP_STORED:
                    raise PickleRefused("the zip file is compressed, so torch.save did not write it")
                crc = info.CRC
                del info.CRC  # zipfile compares only those that are there
                data = archive.read(info)
                if has_checksums and zlib.crc32(data) != crc:
                    raise PickleRefused(f"the zip file is damaged (the checksum of {one_line(info.filename)!r} is wrong)")
                return data

            order = folder + "byteorder"
            big_endian = order in members and read(members[order]).strip() != b"little"
            machine = Machine()
            tensors = choose_tensors(machine.run(io.BytesIO(read(members[pickles[0]]))), choose)
            needed = {tensor.storage.key for tensor in tensors.values()}
            for key, storage in machine.storages.items():
                info = members.get(f"{folder}data/{key}")
                if info is None or info.file_size != storage.nbytes:
                    have = "none" if info is None else info.file_size
                    raise PickleRefused(f"storage {key!r} needs {storage.nbytes} bytes, the file has {have}")
                if key in needed:
                    storage.data, storage.big_endian = read(info), big_endian
            return {name: tensor.array() for name, tensor in tensors.items()}
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, struct.error) as error:
        raise PickleRefused(f"the zip file is damaged or cut short ({one_line(error)})") from None


def read_legacy(file, size, choose):
    """PyTorch before 1.6: magic, protocol, machine, objects, storage keys (five pickles), then the storages."""
    if Machine(strict=True).run(Bounded(file)) != LEGACY_MAGIC:
        raise PickleRefused("it is a pickle, but torch.save did not write it")
    if Machine(strict=True).run(Bounded(file)) != LEGACY_PROTOCOL:
        raise PickleRefused("its torch.save protocol is unknown")
    system = Machine(strict=True).run(Bounded(file))
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise PickleRefused("it was saved on a big-endian machine, which is not supported")
    machine = Machine()
    tensors = choose_tensors(machine.run(Bounded(file)), choose)
    keys = Machine(strict=True).run(Bounded(file))
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise PickleRefused("its list of storages is malformed")
    if sorted(keys) != sorted(machine.storages):
        raise PickleRefused("its list of storages does not match its tensors")
    needed = {tensor.storage.key for tensor in tensors.values()}
    for key in keys:
        storage = machine.storages[key]
        header = file.read(8)
        left = size - file.tell()
        if len(header) != 8 or left < storage.nbytes:
            raise PickleRefused(f"cut short: storage {key!r} has {left} of its {storage.nbytes} bytes")
        if struct.unpack("<q", header)[0] != storage.count:
            raise PickleRefused(f"storage {key!r} does not hold the {storage.count} numbers its tensor needs")
        if key in needed:
            storage.data = file.read(storage.nbytes)
        else:
            file.seek(storage.nbytes, 1)
    if file.tell() != size:
        raise PickleRefused(f"there are {size - file.tell()} bytes behind its last tensor")
    return {name: tensor.array() for name, tensor in tensors.items()}


class Bounded:
    """A stream that gives out at most MAX_PICKLE_BYTES, for the pickles inside a large file."""

    def __init__(self, file):
        self.file, self.left = file, MAX_PICKLE_BYTES

    def read(self, count):
        return self.spend(self.file.read(max(0, min(count, self.left))))

    def readline(self):
        return self.spend(self.file.readline(self.left))

    def tell(self):
        return self.file.tell()

    def spend(self, data):
        self.left -= len(data)
        if self.left <= 0:
            raise PickleRefused("its pickle is far longer than a list of tensors")
        return data
