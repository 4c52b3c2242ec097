# SPDX-License-Identifier: MIT
"""Safetensors files: an 8-byte length, a JSON header, raw little-endian data.

Written here rather than with the `safetensors` package for two reasons: that package orders the metadata
at random, and the converted weights must be the same bytes every time; and the header is padded so
that the data starts at a multiple of 64 bytes, which lets a memory-mapped file be used in place.
"""

import json
import math
import struct
from dataclasses import dataclass

import numpy as np
from toolkit import ToolError, explain_os_error, one_line, write_whole

ALIGNMENT = 64
MAX_HEADER = 100_000_000  # as the format's own library
MAX_RANK = 64
# Of every dtype of the format; what is read and written is in DTYPES.
BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
        "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
        "C64": 64}
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "U8": "|u1"}
NAMES = {np.dtype(code): name for name, code in DTYPES.items() if name != "BF16"}


def write_safetensors(path, tensors, metadata):
    """Writes {name: array} in the order given, with {str: str} metadata."""
    header, chunks, offset = {"__metadata__": dict(metadata)}, [], 0
    for name, array in tensors.items():
        array = np.asarray(array, order="C")
        dtype = NAMES.get(array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype)
        if dtype is None:
            raise ToolError(f"cannot write tensor {name}: dtype {array.dtype} has no safetensors name here")
        data = array.astype(DTYPES[dtype], copy=False).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    write_whole(path, [struct.pack("<Q", len(text)), text, *chunks])


@dataclass(frozen=True)
class Entry:
    """One tensor as the header describes it."""

    name: str
    dtype: str  # F32, BF16, ...
    shape: tuple
    begin: int  # bytes from the start of the data
    end: int


def parse_header(text, data_bytes):
    """({name: Entry}, metadata) of a header (bytes) with so many bytes of data behind it.

    As strict as framework/io/safetensors.cpp; raises ValueError that says what is wrong.
    """
    if text[:1] != b"{":
        raise ValueError("its header does not begin with {")
    header = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_int=size_of, parse_float=no_size, parse_constant=no_size)
    metadata = header.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its __metadata__ is no dictionary of texts")
    for words in [*metadata.items(), *header.items()]:
        "".join(word for word in words if isinstance(word, str)).encode("utf-8")  # half a surrogate pair is no text
    entries = {name: entry_of(name, tensor) for name, tensor in header.items()}
    position = 0
    for entry in sorted(entries.values(), key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != position:
            raise ValueError(f"tensor {entry.name!r} does not begin where the one before ends")
        if entry.end - entry.begin != byte_count(entry):
            raise ValueError(f"tensor {entry.name!r} does not fill its bytes")
        position = entry.end
    if position != data_bytes:
        raise ValueError(f"its header describes {position} bytes of data, {data_bytes} are there; it is cut short")
    return entries, metadata


def unique(pairs):
    """A JSON object as a dictionary; json itself would keep the last of two keys that are the same."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def size_of(text):
    if text[0] == "-" or len(text) > 20 or int(text) >= 1 << 64:
        no_size(text)
    return int(text)


def no_size(text):
    raise ValueError(f"{text[:30]} is no size")


def entry_of(name, tensor):
    """The tensor {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, with nothing else."""
    if not isinstance(tensor, dict):
        raise ValueError(f"tensor {name!r} is no object")
    if tensor.keys() - {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} has an unknown key")
    dtype, shape, offsets = (tensor.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in BITS:
        raise ValueError(f"tensor {name!r} has an unknown dtype")
    if not is_sizes(shape) or not is_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"tensor {name!r} has no shape or no data_offsets")
    if len(shape) > MAX_RANK or max(shape, default=0) >= 1 << 63:
        raise ValueError(f"tensor {name!r} has too many or too large dimensions")
    return Entry(name, dtype, tuple(shape), *offsets)


def is_sizes(values):
    return isinstance(values, list) and all(isinstance(size, int) and not isinstance(size, bool) for size in values)


def byte_count(entry):
    """Or None where the shape makes no whole number of bytes, or a product on the way takes more than 64 bits."""
    count = 1
    for factor in (*entry.shape, BITS[entry.dtype]):
        count *= factor
        if count >= 1 << 64:
            return None
    return None if count % 8 else count // 8


def read_header(path):
    """({name: Entry}, offset of the data, metadata) of a safetensors file."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
            if length > min(size - 8, MAX_HEADER):
                raise ToolError(f"{path}: not a safetensors file, or cut short")
            entries, metadata = parse_header(file.read(length), size - 8 - length)
    except OSError as error:
        raise explain_os_error(error, path, "read") from None
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{path}: not a safetensors file, or damaged: {one_line(error)}") from None
    return entries, 8 + length, metadata


def load_tensors(path, names):
    """{name: array} of these tensors; bf16 as the f32 that it is the upper half of."""
    entries, start, _ = read_header(path)
    found = {}
    for name in names:
        entry = entries[name]
        if entry.dtype not in DTYPES:
            raise ToolError(f"{path}: tensor {one_line(name)} is {entry.dtype}, which is not read here; save it as F32")
        array = np.fromfile(path, DTYPES[entry.dtype], offset=start + entry.begin, count=math.prod(entry.shape))
        array = (array.astype("<u4") << 16).view("<f4") if entry.dtype == "BF16" else array
        found[name] = array.reshape(entry.shape)
    return found


def read_safetensors(path):
    """({name: array}, metadata) of all of a file."""
    entries, _, metadata = read_header(path)
    return load_tensors(path, entries), metadata
