# SPDX-License-Identifier: MIT
"""The pictures that both sides work on: the middle square of each, at one size, as PNG and as plain bytes."""

import subprocess
import sys
from pathlib import Path

from PIL import Image
from toolkit import ROOT, ToolError, explain_os_error, one_line

CONTENT = ROOT / "build" / "data" / "pictures" / "chelsea.png"
STYLE = ROOT / "docs" / "images" / "lily_pond.jpg"


def fetch_content():
    """The path of the photograph that is restyled by default; fetched if it is not there."""
    if not CONTENT.exists():
        done = subprocess.run([sys.executable, ROOT / "tools" / "fetch_data.py", "pictures"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"no photograph to restyle ({one_line(done.stderr)}); name one with --content")
    return CONTENT


def square(path, size):
    """The middle square of a picture, size x size, RGB."""
    try:
        with Image.open(path) as picture:
            rgb = picture.convert("RGB")
    except FileNotFoundError:
        raise ToolError(f"cannot read {path}: no such file or folder") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ToolError(f"{path}: not a picture that can be read ({one_line(error)})") from None
    side = min(rgb.size)
    left, top = (rgb.width - side) // 2, (rgb.height - side) // 2
    return rgb.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.LANCZOS)


def prepare(path, size, folder, name):
    """Writes <name>.png for our program and <name>.rgb, its rows of R, G, B bytes, for PyTorch's; returns both paths."""
    picture, png, rgb = square(path, size), Path(folder) / f"{name}.png", Path(folder) / f"{name}.rgb"
    try:
        picture.save(png)
        rgb.write_bytes(picture.tobytes())
    except OSError as error:
        raise explain_os_error(error, folder, "write") from None
    return png, rgb
