#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes safetensors headers, right and wrong, and asks the format's own library which ones it reads.

    python tests/golden/make_safetensors_headers.py                          check what is committed (numpy; no library needed)
    python tests/golden/make_safetensors_headers.py --write                  renew it; needs safetensors==0.8.0
    python tests/golden/make_safetensors_headers.py --count 5000 --out FILE  more of them; LILY_HEADERS=FILE test_framework "*headers*"

A line of safetensors_headers.txt: what the library says (ok, no), the bytes of data behind the header, why our readers refuse
what the library reads (- where they agree), and the header with Python's escapes. It fails on any other difference.
"""

import argparse
import random
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from safetensors_file import BITS, parse_header  # noqa: E402

GOLDEN = Path(__file__).with_name("safetensors_headers.txt")
SEED, COMMITTED = 8, 40
VERSION = "0.8.0"
# Where ours are stricter on purpose, by what tools/safetensors_file.py says (framework/io/safetensors.h has the list).
STRICTER = {"a name is there twice": "twice", "does not begin with {": "space", "unknown key": "key", "is no object": "array",
            "too many or too large": "dimensions"}


def tensor(name='"a"', dtype='"F32"', shape="[1]", offsets="[0,4]", extra=""):
    return f'{name}:{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}{extra}}}'


def by_hand():
    """(header, bytes of data): what the grammar of the format has at its borders."""
    a = tensor()
    for text, data in [
        (a, 4), ("", 0), (a, 5), (a, 3), (f"{a},{a}", 4), (f'"__metadata__":null,{a}', 4), (f'"__metadata__":{{}},{a}', 4),
        (f'{a},"__metadata__":{{"k":"v","l":"\\u00e9\\n"}}', 4), ('"__metadata__":{"k":"v","k":"w"}', 0), ('"__metadata__":{"k":1}', 0),
        ('"__metadata__":{"k":null}', 0), ('"__metadata__":{},"__metadata__":{}', 0), ('"__metadata__":[]', 0), ('"__metadata__":""', 0),
        ('"__metadata__":0', 0), ('"__metadata__":false', 0), ('"__metadata__":{"k":{"l":"m"}}', 0), ('"a":null', 0), ('"a":{}', 0), ('"a":[]', 0),
        ('"a":["F32",[1],[0,4]]', 4), (tensor(extra=',"x":1'), 4), (tensor(extra=',"shape":[1]'), 4), (tensor(dtype='"f32"'), 4),
        (tensor(dtype='"\\u004632"'), 4), (tensor(dtype="null"), 4), (tensor(dtype="7"), 4), (tensor(dtype='["F32"]'), 4), (tensor(name='""'), 4),
        (tensor(name='"\\ud83d\\ude00"'), 4), (tensor(name='"\\ud800"'), 4), (tensor(name='"\\udc00\\ud800"'), 4), (tensor(name='"\\u0000"'), 4),
        (tensor(name='"\x01"'), 4), (tensor(name='"\x7f"'), 4), (tensor(name='"\\x"'), 4), (tensor(name='"a/é😀"'), 4), (tensor(name="'a'"), 4),
        (tensor(shape="[]"), 4), (tensor(shape="null"), 4), (tensor(shape="1"), 4), (tensor(shape="[[1]]"), 4), (tensor(shape='["1"]'), 4),
        (tensor(shape="[true]"), 4), (tensor(shape="[-1]"), 4), (tensor(shape="[-0]", offsets="[0,0]"), 0), (tensor(shape="[1.0]"), 4),
        (tensor(shape="[1e0]"), 4), (tensor(shape="[01]"), 4), (tensor(shape="[+1]"), 4), (tensor(shape="[1,]"), 4), (tensor(shape="[0x1]"), 4),
        (tensor(shape="[NaN]"), 4), (tensor(shape="[Infinity]"), 4), (tensor(shape="[1e999]"), 4), (tensor(shape="[" + "1," * 63 + "1]"), 4),
        (tensor(shape="[" + "1," * 64 + "1]"), 4), (tensor(shape="[0,18446744073709551615]", offsets="[0,0]"), 0),
        (tensor(shape="[0,18446744073709551616]", offsets="[0,0]"), 0), (tensor(shape="[9223372036854775807,0]", offsets="[0,0]"), 0),
        (tensor(shape="[9223372036854775808,0]", offsets="[0,0]"), 0), (tensor(shape="[4611686018427387904,4,0]", offsets="[0,0]"), 0),
        (tensor(shape="[0,4611686018427387904,4]", offsets="[0,0]"), 0), (tensor(shape="[4611686018427387904,4]", offsets="[0,0]"), 0),
        (tensor(shape="[576460752303423488]", offsets="[0,0]"), 0), (tensor(offsets="[4,0]"), 4), (tensor(offsets="[0,4,8]"), 4),
        (tensor(offsets="[4]"), 4), (tensor(offsets="[0,18446744073709551620]"), 4), (tensor(offsets="[1,5]"), 5),
        (f'{a},{tensor(chr(34) + "b" + chr(34), shape="[0]", offsets="[0,0]")}', 4), (f'{a},{tensor(chr(34) + "b" + chr(34), shape="[0]", offsets="[2,2]")}', 4),
        (f'{a},{tensor(chr(34) + "b" + chr(34), shape="[0]", offsets="[4,4]")}', 4), (f'{a},{tensor(chr(34) + "b" + chr(34), shape="[0]", offsets="[8,8]")}', 4),
        (f'{tensor(chr(34) + "b" + chr(34), offsets="[4,8]")},{a}', 8), (f'{a},{tensor(chr(34) + "b" + chr(34))}', 4),
        (f'{a},{tensor(chr(34) + "b" + chr(34), offsets="[2,6]")}', 6), (f'{a},{tensor(chr(34) + "b" + chr(34), offsets="[6,10]")}', 10),
    ]:
        yield f"{{{text}}}".encode("utf-8", "surrogatepass"), data
    for name, bits in BITS.items():
        yield f"{{{tensor(dtype=chr(34) + name + chr(34), shape='[4]', offsets=f'[0,{bits // 2}]')}}}".encode(), bits // 2
        yield f"{{{tensor(dtype=chr(34) + name + chr(34), offsets=f'[0,{max(1, bits // 8)}]')}}}".encode(), max(1, bits // 8)
    yield f"{{{tensor(dtype=chr(34) + 'C128' + chr(34), offsets='[0,16]')}}}".encode(), 16
    whole = f"{{{a}}}".encode()
    for before, after in [(b"", b"\0"), (b"", b"\0text"), (b"", b"  \t\r\n"), (b"", b"}"), (b"", b"x"), (b"", b"//"), (b"", b"\v"), (b"", b"{}"), (b" ", b""),
                          (b"\n", b""), (b"\xef\xbb\xbf", b""), (b"\0", b"")]:
        yield before + whole + after, 4
    for text in (b"", b"[]", b"null", b"{", b'{"a"', b"{]", b'{"\xff":1}', b'{"\xc0\x80":1}', b"7", b'"a"', b"{,}"):
        yield text, 0
    yield whole[:30] + b"\0" + whole[30:], 4
    yield whole[:3] + b"\0" + whole[3:], 4
    yield whole.decode().encode("utf-16-le"), 4


def mutated(rng):
    """A right header with some of its pieces changed, left out or doubled."""
    position, parts = 0, []
    for name in rng.sample(["a", "b", "c.weight", "d"], rng.randint(1, 3)):
        dtype = rng.choice(list(BITS))
        shape = [rng.choice((0, 1, 2, 4, 8)) for _ in range(rng.randint(0, 3))]
        bits = BITS[dtype]
        for size in shape:
            bits *= size
        end = position + bits // 8
        parts.append(tensor(f'"{name}"', f'"{dtype}"', str(shape), f"[{position},{end}]"))
        position = end
    if rng.random() < 0.3:
        parts.append(rng.choice(['"__metadata__":{"format":"pt"}', '"__metadata__":{}', '"__metadata__":null']))
    rng.shuffle(parts)
    text = bytearray(f"{{{rng.choice((',', ', '))[:2].join(parts)}}}{' ' * rng.choice((0, 0, 3))}".encode())
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        at, size = rng.randrange(len(text)), rng.randint(1, 3)
        piece = rng.choice((b"", b"0", b"1", b"-", b".", b",", b'"', b"[", b"]", b"{", b"}", b":", b" ", b"\n", b"\0", b"\\", b"\xff", b"\xc3\xa9", b"e", b"null",
                            b"true", b'"x":1,', bytes(text[at:at + 9])))
        text[at:at + rng.choice((0, size))] = piece
    return bytes(text), max(0, position + rng.choice((0, 0, 0, 0, 0, 0, 0, 1, -1)))


def headers(count, seed=SEED):
    yield from by_hand()
    rng = random.Random(seed)
    for _ in range(count):
        yield mutated(rng)


def ours(header, data_bytes):
    """None, or what is wrong."""
    try:
        parse_header(header, data_bytes)
    except (ValueError, RecursionError) as error:
        return str(error) or "wrong"
    return None


def difference(theirs, header, data_bytes):
    """"-" where our reader agrees, or why it is meant to refuse what the library reads; fails on all else."""
    wrong = ours(header, data_bytes)
    if theirs == (wrong is None):
        return "-"
    why = next((word for text, word in STRICTER.items() if theirs and text in wrong), None)
    if why is None:
        sys.exit(f"{header!r} before {data_bytes} bytes: the library says {theirs}, ours {wrong}")
    return why


def library():
    import safetensors

    if safetensors.__version__ != VERSION:
        sys.exit(f"safetensors is {safetensors.__version__}, expected {VERSION}: pip install safetensors=={VERSION}")

    def reads(header, data_bytes):
        try:
            safetensors.deserialize(struct.pack("<Q", len(header)) + header + bytes(data_bytes))
        except safetensors.SafetensorError:
            return False
        return True

    return reads


def line_of(theirs, header, data_bytes):
    text = header.decode("latin-1").encode("unicode_escape").decode()
    return f"{'ok' if theirs else 'no'} {data_bytes} {difference(theirs, header, data_bytes)} {text}\n"


def read_lines(text):
    """(what the library says, bytes of data, why ours differs, header)"""
    for line in text.splitlines():
        theirs, data_bytes, why, header = line.split(" ", 3)
        yield theirs == "ok", int(data_bytes), why, header.encode().decode("unicode_escape").encode("latin-1")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="renew safetensors_headers.txt")
    parser.add_argument("--count", type=int, default=COMMITTED, help="of headers besides those written by hand")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=GOLDEN)
    arguments = parser.parse_args()
    if arguments.write or arguments.out != GOLDEN:
        reads = library()
        made = dict.fromkeys(headers(arguments.count, arguments.seed))
        lines = [line_of(reads(header, data), header, data) for header, data in made]
        arguments.out.write_text("".join(lines))
    found = list(read_lines(arguments.out.read_text()))
    for theirs, data_bytes, why, header in found:
        if difference(theirs, header, data_bytes) != why:
            sys.exit(f"{header!r}: {why} expected")
    counts = {why: sum(line[2] == why for line in found) for why in sorted({line[2] for line in found})}
    print(f"{len(found)} headers, the library reads {sum(line[0] for line in found)}; ours differs in: {counts}")


if __name__ == "__main__":
    main()
