# SPDX-License-Identifier: MIT
"""The stack machine that a pickle is a program for, without anything that it could call.

Python's own machine can be made to call any function. This one cannot call: a GLOBAL is only a name here, REDUCE
knows five names (rebuild a tensor, rebuild a parameter, make an OrderedDict), and what any other name would make is an
`Opaque`: a placeholder that remembers the name. Checkpoints hold many such things beside their tensors (options,
numpy scalars, a module's class); they matter only where a tensor is expected, and are refused there.
The instructions are cut apart by the standard library's `pickletools`, which runs nothing either.
"""

import pickletools
import sys

import numpy as np
from toolkit import ToolError, one_line

MAX_OBJECTS = 1 << 20
MAX_DIMENSIONS = 8
MAX_EXPANDED = 1 << 22  # numbers of a tensor that repeats those of a smaller storage; VGG-19's largest has 2.4 million

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
    "torch ComplexFloatStorage": "<c8",
    "torch ComplexDoubleStorage": "<c16",
    # What stands in these means nothing without a scale or a dtype that their tensors name: bytes, to be passed over.
    "torch QInt8Storage": "|V1",
    "torch QUInt8Storage": "|V1",
    "torch QInt32Storage": "|V4",
    "torch UntypedStorage": "|V1",
    "torch.storage UntypedStorage": "|V1",
}
REBUILD_TENSOR = ("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor")
REBUILD_PARAMETER = ("torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state")
REBUILD_FROM_TYPE = "torch._tensor _rebuild_from_type_v2"  # a tensor to which somebody has added an attribute
PLAIN_TYPES = ("torch Tensor", "torch.nn.parameter Parameter")
ORDERED_DICT = "collections OrderedDict"
KNOWN = {*STORAGE_TYPES, *REBUILD_TENSOR, *REBUILD_PARAMETER, REBUILD_FROM_TYPE, ORDERED_DICT}


class PickleRefused(ToolError):
    """The file holds something other than tensors, or is damaged."""


class Name:
    """A global that the pickle names: text, never the thing itself."""

    def __init__(self, text):
        self.text = text

    @property
    def dotted(self):
        return one_line(self.text.replace(" ", "."))


class Opaque:
    """What an unknown name would have made: its name, and what the pickle wanted to put into it."""

    def __init__(self, dotted, arguments=()):
        self.dotted = dotted  # its name
        self.arguments = arguments
        self.contents = {}  # of a dictionary's subclass
        self.state = {}  # the attributes of an object


class Storage:
    """A run of numbers that tensors are views of; `data` (bytes) arrives later."""

    def __init__(self, key, dtype, count):
        self.key, self.dtype, self.count = key, dtype, count
        self.data = None
        self.big_endian = False

    @property
    def nbytes(self):
        return self.count * (2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize)

    def array(self):
        """The numbers in this machine's byte order; bfloat16 as the float32 that it is the upper half of."""
        stored = np.dtype("<u2" if self.dtype == "bfloat16" else self.dtype)
        numbers = np.frombuffer(self.data, stored.newbyteorder(">") if self.big_endian else stored, self.count)
        numbers = numbers.astype(stored, copy=False)
        return (numbers.astype("<u4") << 16).view("<f4") if self.dtype == "bfloat16" else numbers


class Tensor:
    """A view of a storage, checked to lie inside it. `negative` and `conjugate`: the numbers stand in the storage before
    that operation, which PyTorch puts off."""

    def __init__(self, storage, offset, shape, strides, negative=False, conjugate=False):
        if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
            raise PickleRefused(f"storage {storage.key!r}: a tensor has {len(shape)} sizes and {len(strides)} strides")
        if not all(is_count(number) for number in (offset, *shape, *strides)):
            raise PickleRefused(f"storage {storage.key!r}: a tensor's offset, shape or strides are not numbers in range")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides
        self.negative, self.conjugate = negative, conjugate
        self.elements = 1
        for size in shape:
            self.elements *= size
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides))
        if self.elements and last >= storage.count:
            raise PickleRefused(f"storage {storage.key!r}: a tensor of shape {shape} reaches beyond its {storage.count} numbers")

    def array(self):
        # An expanded tensor has a stride of 0: the bound stops it from turning few bytes into many.
        if self.elements > max(self.storage.count, MAX_EXPANDED):
            raise PickleRefused(f"storage {self.storage.key!r}: a tensor of shape {self.shape} repeats its "
                                f"{self.storage.count} numbers too often")
        numbers = self.storage.array()[self.offset:]
        steps = [stride * numbers.itemsize for stride in self.strides]
        values = np.array(np.lib.stride_tricks.as_strided(numbers, self.shape, steps))
        if self.negative and values.dtype.kind not in "fci":
            raise PickleRefused(f"storage {self.storage.key!r}: a tensor is the negative of {values.dtype}")
        values = np.conj(values) if self.conjugate and values.dtype.kind == "c" else values
        return -values if self.negative else values


def rebuild_tensor(storage, offset, shape, strides, metadata):
    """torch._utils._rebuild_tensor_v2: metadata is {"conj": True}, {"neg": True}, both, or what a backend of others adds."""
    if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise PickleRefused("its pickle builds a tensor from something that is not a storage")
    if metadata is not None and not isinstance(metadata, dict):
        raise PickleRefused("its pickle describes a tensor with something that is no dictionary")
    marks = {key for key, value in (metadata or {}).items() if value is not False}
    if unknown := sorted(map(str, marks - {"conj", "neg"})):
        return Opaque(f"torch._utils._rebuild_tensor_v2 with {one_line(unknown[0])!r}")
    return Tensor(storage, offset, shape, strides, negative="neg" in marks, conjugate="conj" in marks)


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48


class Machine:
    """Reads one pickle from a stream and returns the object it describes. strict: any name is refused."""

    def __init__(self, strict=False):
        self.strict = strict
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
        """The object on top that items are put into."""
        if not isinstance(self.stack[-1], kind) and not isinstance(self.stack[-1], Opaque):
            raise ValueError("an object that holds items expected")
        return self.stack[-1]

    def op_MARK(self, _):
        self.marks.append(len(self.stack))

    def op_POP(self, _):
        self.pop()

    def op_POP_MARK(self, _):
        self.pop_to_mark()

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
    op_BINBYTES = op_SHORT_BINBYTES = op_BINBYTES8 = op_BYTEARRAY8 = op_BINUNICODE
    op_BININT = op_BININT1 = op_BININT2 = op_LONG1 = op_LONG4 = op_BINFLOAT = op_BINUNICODE

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
        self.extend([self.pop()])

    def op_APPENDS(self, _):
        self.extend(self.pop_to_mark())

    def extend(self, values):
        target = self.top(list)
        if isinstance(target, list):
            target.extend(values)

    def op_EMPTY_SET(self, _):
        self.push(Opaque("builtins.set"))  # holds no tensors

    op_ADDITEMS = op_APPENDS

    def op_FROZENSET(self, _):
        self.pop_to_mark()
        self.push(Opaque("builtins.frozenset"))

    def op_EMPTY_DICT(self, _):
        self.push({})

    def op_SETITEM(self, _):
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def op_SETITEMS(self, _):
        self.set_items(self.pop_to_mark())

    def set_items(self, items):
        target = self.top(dict)
        target = target.contents if isinstance(target, Opaque) else target
        if len(items) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(items[::2], items[1::2]):
            # Tensors stand under names or numbers; what is under another key (a tuple, a set of options) is left out.
            # Larger numbers can be made to share one hash, and a dictionary of them takes hours.
            if isinstance(key, str) or isinstance(key, int) and abs(key) < sys.hash_info.modulus:
                target[key] = value

    # Names and calls: nothing is imported, nothing is called

    def op_GLOBAL(self, text):
        name = Name(text)
        if self.strict:
            raise PickleRefused(f"its pickle asks for {name.dotted!r}; only tensors are read, nothing is run")
        self.push(name)

    def op_STACK_GLOBAL(self, _):
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name that is not text")
        self.op_GLOBAL(f"{module} {name}")

    def op_REDUCE(self, _):
        arguments, name = self.pop(), self.pop()
        if isinstance(name, Opaque):  # a method of something that was not made
            name = Name(name.dotted)
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise PickleRefused("its pickle calls something that is not a name")
        self.push(self.call(name, arguments))

    def call(self, name, arguments):
        if name.text == REBUILD_FROM_TYPE and len(arguments) == 4:
            function, kind, inner, _ = arguments
            if isinstance(function, Name) and isinstance(kind, Name) and isinstance(inner, tuple):
                return self.call(function, inner) if kind.text in PLAIN_TYPES else Opaque(kind.dotted)
        elif name.text == ORDERED_DICT and not arguments:
            return {}
        elif name.text in REBUILD_TENSOR and len(arguments) >= 4:
            return rebuild_tensor(*arguments[:4], arguments[6] if len(arguments) > 6 else None)
        elif name.text in REBUILD_PARAMETER and arguments and isinstance(arguments[0], (Tensor, Opaque)):
            return arguments[0]
        elif name.text not in KNOWN:
            # What a tensor would have been made of is not that tensor; the module that is wrapped is one.
            return Opaque(name.dotted, () if name.text.startswith("torch._utils ") else arguments)
        raise PickleRefused(f"its pickle calls {name.dotted} with arguments that tensors never have")

    def op_NEWOBJ(self, _):
        arguments, name = self.pop(), self.pop()
        if not isinstance(name, (Name, Opaque)) or not isinstance(arguments, tuple):
            raise PickleRefused("its pickle makes an object of something that is not a name")
        self.push(Opaque(name.dotted, arguments))

    def op_NEWOBJ_EX(self, named):
        self.pop()  # arguments with names
        self.op_NEWOBJ(named)

    def op_BUILD(self, _):
        state = self.pop()
        target = self.top((dict, Tensor))  # a state dictionary's own is `_metadata`: layer versions, not needed
        if isinstance(target, Opaque):
            parts = state if isinstance(state, tuple) else (state,)  # with __slots__: two dictionaries
            for part in parts:
                target.state.update(part if isinstance(part, dict) else {})

    def op_BINPERSID(self, _):
        identity = self.pop()
        if isinstance(identity, tuple) and len(identity) == 4 and identity[0] == "module" and isinstance(identity[1], Name):
            self.push(identity[1])  # the class of a whole module, whose source text the older form carries along
            return
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
