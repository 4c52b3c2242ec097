# SPDX-License-Identifier: MIT
"""Safetensors files: an 8-byte length, a JSON header, raw little-endian data.

Written here rather than with the `safetensors` package for two reasons: that package orders the metadata
at random, and the converted weights must be the same bytes every time; and the header is padded so
that the data starts at a multiple of 64 bytes, which lets a memory-mapped file be used in place.
"""

import json
import struct

import numpy as np
from toolkit import ToolError, explain_os_error, write_whole

ALIGNMENT = 64
DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "|u1"}
NAMES = {np.dtype(code): name for name, code in DTYPES.items()}


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


def read_header(path):
    """The JSON header of a safetensors file and the offset of its data."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
            if length > size - 8:
                raise ToolError(f"{path}: not a safetensors file, or cut short")
            header = json.loads(file.read(length))
            end = max((t["data_offsets"][1] for name, t in header.items() if name != "__metadata__"), default=0)
    except OSError as error:
        raise explain_os_error(error, path, "read") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ToolError(f"{path}: its safetensors header is damaged") from None
    if 8 + length + end != size:
        raise ToolError(f"{path}: holds {size} bytes, its header describes {8 + length + end}; it is cut short")
    return header, 8 + length


def read_safetensors(path):
    """({name: array}, metadata) of a file that write_safetensors wrote."""
    header, start = read_header(path)
    metadata = header.pop("__metadata__", {})
    data = np.fromfile(path, np.uint8)
    tensors = {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        tensors[name] = data[begin:end].view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata
