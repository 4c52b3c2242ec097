# SPDX-License-Identifier: MIT
"""Reads the tensors of a `torch.save` file without PyTorch and without running anything.

A pickle is a program for a small stack machine, and Python's own machine can be made to call any
function. This one cannot call: a GLOBAL is only a name here, REDUCE knows five names (rebuild a tensor,
rebuild a parameter, make an OrderedDict), and every other instruction, name or type is refused with
one line. The instructions are cut apart by the standard library's `pickletools`, which runs nothing either.
Both forms of torch.save are read: the zip archive and the older sequence of pickles with raw storages behind it.
Sizes are compared with the bytes that are there before anything is allocated.
"""

import io
import pickletools
import re
import struct
import sys
import zipfile

import numpy as np
from toolkit import ToolError, explain_os_error, one_line

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_PICKLE_BYTES = 16 << 20
MAX_OBJECTS = 1 << 20
MAX_DIMENSIONS = 8

STORAGE_TYPES = {
    "torch FloatStorage": "<f4",
    "torch DoubleStorage": "<f8",
    "torch HalfStorage": "<f2",
    "torch BFloat16Storage": "bfloat16",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "|i1",
    "torch ByteStorage": "|u1",
    "torch BoolStorage": "|b1",
}
REBUILD_TENSOR = ("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor")
REBUILD_PARAMETER = ("torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state")
ORDERED_DICT = "collections OrderedDict"
ALLOWED = {*STORAGE_TYPES, *REBUILD_TENSOR, *REBUILD_PARAMETER, ORDERED_DICT}


class PickleRefused(ToolError):
    """The file holds something other than tensors, or is damaged."""


class Name:
    """A global that the pickle names: text, never the thing itself."""

    def __init__(self, text):
        self.text = text


class Storage:
    """A run of numbers that tensors are views of; `data` (bytes) arrives later."""

    def __init__(self, key, dtype, count):
        self.key, self.dtype, self.count = key, dtype, count
        self.data = None

    @property
    def nbytes(self):
        return self.count * (2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize)

    def array(self):
        if self.dtype != "bfloat16":
            return np.frombuffer(self.data, self.dtype, self.count)
        return (np.frombuffer(self.data, "<u2", self.count).astype("<u4") << 16).view("<f4")


class Tensor:
    """A view of a storage, checked to lie inside it."""

    def __init__(self, storage, offset, shape, strides):
        if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
            raise PickleRefused(f"storage {storage.key!r}: a tensor has {len(shape)} sizes and {len(strides)} strides")
        if not all(is_count(number) for number in (offset, *shape, *strides)):
            raise PickleRefused(f"storage {storage.key!r}: a tensor's offset, shape or strides are not numbers in range")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides
        elements = 1
        for size in shape:
            elements *= size
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides))
        # The first bound also stops a stride of 0 from turning few bytes into many.
        if elements > storage.count or (elements and last >= storage.count):
            raise PickleRefused(f"storage {storage.key!r}: a tensor of shape {shape} reaches beyond its {storage.count} numbers")

    def array(self):
        numbers = self.storage.array()[self.offset:]
        steps = [stride * numbers.itemsize for stride in self.strides]
        return np.array(np.lib.stride_tricks.as_strided(numbers, self.shape, steps))


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48


class Machine:
    """The stack machine: reads one pickle from a stream and returns the object it describes."""

    def __init__(self):
        self.storages = {}

    def run(self, stream):
        self.stack, self.marks, self.memo, self.objects = [], [], {}, 0
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                self.objects += 1
                if self.objects > MAX_OBJECTS:
                    raise PickleRefused("its pickle is far longer than a list of tensors")
                if opcode.name == "STOP":
                    return self.pop()
                step = getattr(self, "op_" + opcode.name, None)
                if step is None:
                    raise PickleRefused(f"pickle instruction {opcode.name} is not one that tensors need")
                step(argument)
        except PickleRefused:
            raise
        except RecursionError:
            raise PickleRefused("its pickle is nested too deeply") from None
        except (ValueError, IndexError, KeyError, TypeError, OverflowError, UnicodeError, AttributeError) as error:
            raise PickleRefused(f"its pickle is damaged or cut short ({one_line(error)})") from None
        raise PickleRefused("its pickle has no end")

    # The stack

    def push(self, value):
        self.stack.append(value)

    def pop(self):
        if self.marks and len(self.stack) <= self.marks[-1]:
            raise ValueError("an instruction reaches below a mark")
        return self.stack.pop()

    def pop_to_mark(self):
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def top(self, kind):
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f"{kind.__name__} expected")
        return self.stack[-1]

    def op_MARK(self, _):
        self.marks.append(len(self.stack))

    def op_POP(self, _):
        self.pop()

    def op_PROTO(self, version):
        if version > 5:
            raise ValueError(f"protocol {version}")

    def op_FRAME(self, _):
        pass

    def op_BINPUT(self, index):
        self.memo[index] = self.stack[-1]

    op_LONG_BINPUT = op_BINPUT

    def op_MEMOIZE(self, _):
        self.memo[len(self.memo)] = self.stack[-1]

    def op_BINGET(self, index):
        self.push(self.memo[index])

    op_LONG_BINGET = op_BINGET

    # Plain values

    def op_BINUNICODE(self, value):
        self.push(value)

    op_SHORT_BINUNICODE = op_BINUNICODE8 = op_BINUNICODE
    op_BINSTRING = op_SHORT_BINSTRING = op_BINUNICODE  # text as Python 2 wrote it
    op_BININT = op_BININT1 = op_BININT2 = op_LONG1 = op_BINFLOAT = op_BINUNICODE

    def op_NONE(self, _):
        self.push(None)

    def op_NEWTRUE(self, _):
        self.push(True)

    def op_NEWFALSE(self, _):
        self.push(False)

    # Tuples, lists, dictionaries

    def op_EMPTY_TUPLE(self, _):
        self.push(())

    def op_TUPLE(self, _):
        self.push(tuple(self.pop_to_mark()))

    def op_TUPLE1(self, _):
        self.push((self.pop(),))

    def op_TUPLE2(self, _):
        second, first = self.pop(), self.pop()
        self.push((first, second))

    def op_TUPLE3(self, _):
        third, second, first = self.pop(), self.pop(), self.pop()
        self.push((first, second, third))

    def op_EMPTY_LIST(self, _):
        self.push([])

    def op_APPEND(self, _):
        value = self.pop()
        self.top(list).append(value)

    def op_APPENDS(self, _):
        values = self.pop_to_mark()
        self.top(list).extend(values)

    def op_EMPTY_DICT(self, _):
        self.push({})

    def op_SETITEM(self, _):
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def op_SETITEMS(self, _):
        self.set_items(self.pop_to_mark())

    def set_items(self, items):
        target = self.top(dict)
        if len(items) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(items[::2], items[1::2]):
            # Larger numbers can be made to share one hash, and a dictionary of them takes hours.
            if not isinstance(key, str) and not (isinstance(key, int) and abs(key) < sys.hash_info.modulus):
                raise PickleRefused("a dictionary key is neither text nor a number that fits")
            target[key] = value

    # Names and calls: nothing is imported, nothing is called

    def op_GLOBAL(self, text):
        if text not in ALLOWED:
            raise PickleRefused(f"its pickle asks for {text.replace(' ', '.')!r}; only tensors are read, nothing is run")
        self.push(Name(text))

    def op_STACK_GLOBAL(self, _):
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name that is not text")
        self.op_GLOBAL(f"{module} {name}")

    def op_REDUCE(self, _):
        arguments, name = self.pop(), self.pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise PickleRefused("its pickle calls something that is not a name")
        if name.text == ORDERED_DICT and not arguments:
            self.push({})
        elif name.text in REBUILD_TENSOR and len(arguments) >= 4:
            storage, offset, shape, strides = arguments[:4]
            if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
                raise PickleRefused("its pickle builds a tensor from something that is not a storage")
            self.push(Tensor(storage, offset, shape, strides))
        elif name.text in REBUILD_PARAMETER and arguments and isinstance(arguments[0], Tensor):
            self.push(arguments[0])
        else:
            raise PickleRefused(f"its pickle calls {name.text.replace(' ', '.')} with arguments that tensors never have")

    def op_BUILD(self, _):
        self.pop()  # a state dictionary's `_metadata`: layer versions, not needed
        self.top(dict)

    def op_BINPERSID(self, _):
        identity = self.pop()
        types = (str, Name, str, str, int)  # kind, type, key, place ("cpu"), count; then views, before PyTorch 0.4
        if not isinstance(identity, tuple) or len(identity) < 5 or not all(map(isinstance, identity, types)):
            raise PickleRefused("its pickle refers to something that is not a storage")
        kind, name, key, _, count = identity[:5]
        if kind != "storage" or name.text not in STORAGE_TYPES or not is_count(count):
            raise PickleRefused("its pickle refers to something that is not a storage")
        if any(view is not None for view in identity[5:]):
            raise PickleRefused("its storages are views of others (PyTorch before 0.4); save it with a newer PyTorch")
        storage = self.storages.setdefault(key, Storage(key, STORAGE_TYPES[name.text], count))
        if (storage.dtype, storage.count) != (STORAGE_TYPES[name.text], count):
            raise PickleRefused(f"storage {key!r} is described twice, differently")
        self.push(storage)


def load_state_dict(path, wanted=lambda name: True):
    """{name: array} of a torch.save file, for the names that wanted() says yes to.

    A dictionary under "state_dict" is looked into, as training scripts write it.
    """
    try:
        with open(path, "rb") as file:
            return load_from_stream(file, path, wanted)
    except OSError as error:
        raise explain_os_error(error, path, "read") from None


def load_from_stream(file, name, wanted=lambda name: True):
    """The same from an open file or BytesIO; `name` is for the errors."""
    try:
        size = file.seek(0, 2)
        file.seek(0)
        if not size:
            raise PickleRefused("the file is empty")
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        return (read_zip if is_zip else read_legacy)(file, size, wanted)
    except PickleRefused as error:
        raise PickleRefused(f"{name}: {error}") from None


def choose_tensors(root, wanted):
    if isinstance(root, dict) and isinstance(root.get("state_dict"), dict):
        root = root["state_dict"]
    if not isinstance(root, dict):
        raise PickleRefused("it holds no dictionary of tensors")
    return {name: value for name, value in root.items() if isinstance(value, Tensor) and wanted(str(name))}


def read_zip(file, size, wanted):
    """PyTorch 1.6 and later: <folder>/data.pkl and <folder>/data/<key>, uncompressed."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename: info for info in archive.infolist()}
            pickles = [name for name in members if re.fullmatch(r"[^/]+/data\.pkl", name)]
            if len(pickles) != 1:
                raise PickleRefused("the zip file has no data.pkl, so torch.save did not write it")
            folder = pickles[0][: -len("data.pkl")]
            # torch.save never compresses; refusing compression also refuses zip bombs.
            if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
                raise PickleRefused("the zip file is compressed, so torch.save did not write it")
            if sum(info.file_size for info in members.values()) > size:
                raise PickleRefused("the zip file claims more bytes than it has")
            if members[pickles[0]].file_size > MAX_PICKLE_BYTES:
                raise PickleRefused("its pickle is far longer than a list of tensors")
            order = folder + "byteorder"
            if order in members and archive.read(order).strip() != b"little":
                raise PickleRefused("it was saved on a big-endian machine, which is not supported")
            machine = Machine()
            tensors = choose_tensors(machine.run(io.BytesIO(archive.read(pickles[0]))), wanted)
            needed = {tensor.storage.key for tensor in tensors.values()}
            for key, storage in machine.storages.items():
                info = members.get(f"{folder}data/{key}")
                if info is None or info.file_size != storage.nbytes:
                    have = "none" if info is None else info.file_size
                    raise PickleRefused(f"storage {key!r} needs {storage.nbytes} bytes, the file has {have}")
                if key in needed:
                    storage.data = archive.read(info)
            return {name: tensor.array() for name, tensor in tensors.items()}
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, struct.error) as error:
        raise PickleRefused(f"the zip file is damaged or cut short ({one_line(error)})") from None


def read_legacy(file, size, wanted):
    """PyTorch before 1.6: magic, protocol, machine, objects, storage keys (five pickles), then the storages."""
    if Machine().run(Bounded(file)) != LEGACY_MAGIC:
        raise PickleRefused("it is a pickle, but torch.save did not write it")
    if Machine().run(Bounded(file)) != LEGACY_PROTOCOL:
        raise PickleRefused("its torch.save protocol is unknown")
    system = Machine().run(Bounded(file))
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise PickleRefused("it was saved on a big-endian machine, which is not supported")
    machine = Machine()
    tensors = choose_tensors(machine.run(Bounded(file)), wanted)
    keys = Machine().run(Bounded(file))
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
