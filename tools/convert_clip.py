#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Converts CLIP's weights to the safetensors that lilypad reads, by OpenAI's names, and fetches the tokenizer's vocabulary."""

import argparse
import sys
from pathlib import Path

import downloads
from toolkit import DEFAULT_CACHE, ROOT, ToolError, check_writable, run_tool, sha256_file, write_whole

FORMAT_VERSION = "1"
MANIFEST = ROOT / "weights" / "manifest.json"

EXAMPLES = """\
examples:
  python tools/convert_clip.py                       fetch the vocabulary alone (1.4 MB, once)
  python tools/convert_clip.py ViT-B-32.pt           OpenAI's TorchScript archive to weights/ViT-B-32.safetensors
  python tools/convert_clip.py model.safetensors -o weights/clip.safetensors
                                                     Hugging Face's or open_clip's, with its config.json or
                                                     open_clip_config.json beside it
  python tools/convert_clip.py epoch_32.pt --activation gelu
                                                     a checkpoint that says nothing of its activation

Files of PyTorch are read without it, and nothing in them is run. 16-bit weights stay 16-bit.
"""


def parse_arguments():
    parser = argparse.ArgumentParser(prog="convert_clip.py", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", type=Path, metavar="SOURCE",
                        help="OpenAI's .pt, a PyTorch state dictionary or checkpoint, or safetensors; none: the vocabulary alone")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: weights/SOURCE.safetensors")
    parser.add_argument("--activation", choices=("quick_gelu", "gelu", "gelu_tanh"),
                        help="of the towers, for sources that do not say it")
    parser.add_argument("--config", type=Path, metavar="FILE",
                        help="config.json or open_clip_config.json of the source (default: the one beside it)")
    parser.add_argument("--f32", action="store_true", help="write 32-bit weights, whatever the source has")
    parser.add_argument("--to", type=Path, default=ROOT / "weights", metavar="DIR", help="the vocabulary's folder (default: weights)")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR",
                        help="where downloads are kept (default: build/cache)")
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    return parser.parse_args()


def fetch_vocabulary(folder, cache, log):
    """Puts the pinned vocabulary into the folder, unless it is there already."""
    pins = downloads.load_manifest(MANIFEST)["clip"]["vocabulary"]
    path = folder / pins["output"]
    if downloads.is_there(path, pins["member"]):
        log(f"{path} is up to date")
        return
    wheel = downloads.fetch_wheel(pins["wheel"], cache, log)
    write_whole(path, [downloads.read_member(wheel, pins["member"])])
    log(f"wrote {path}  ({pins['licence']})")


def convert(arguments, log):
    """Reads, renames, checks and writes."""
    try:
        import clip_config
        import clip_layers
        import numpy as np
        from safetensors_file import write_safetensors
    except ImportError as error:
        raise ToolError(f"{error.name} is missing; install it with: pip install -r tools/requirements.txt") from None
    source = arguments.source
    output = arguments.output or ROOT / "weights" / f"{source.stem}.safetensors"
    if output.resolve() == source.resolve():
        raise ToolError(f"{source} would be overwritten; name another file with -o")
    check_writable(output)
    log(f"reading {source}")
    found, kind = clip_layers.read_source(source)
    arrays = clip_layers.openai_names(found, kind, source)
    towers = [name for name, mark in (("image", "visual.conv1.weight"), ("text", "ln_final.weight")) if mark in arrays]
    wrong = clip_layers.complaints(arrays, towers)
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)
        raise ToolError(f"{source}: {len(wrong)} tensors are not those of a CLIP with a vision transformer (above)")
    metadata = {"format_version": FORMAT_VERSION, "model": "CLIP" if len(towers) == 2 else f"CLIP, {towers[0]} tower alone",
                "source": f"{'Hugging Face' if kind != 'openai' else 'OpenAI or open_clip'} names, file {source.name}",
                "source_sha256": sha256_file(source)}
    metadata |= clip_config.settings(source, kind, arrays, arguments.config, arguments.activation)
    if "text" in towers:
        metadata["context_length"] = str(arrays["positional_embedding"].shape[0])
    tensors = {}
    for name in clip_layers.expected_shapes(arrays, towers):
        keep = arrays[name].dtype == np.float16 and not arguments.f32
        tensors[name] = arrays[name].astype("<f2" if keep else "<f4", copy=False)
    write_safetensors(output, tensors, metadata)
    parameters = sum(array.size for array in tensors.values())
    halves = sum(array.dtype == np.float16 for array in tensors.values())
    log(f"wrote {output}: {len(tensors)} tensors ({halves} of 16 bits), {parameters:,} parameters, {output.stat().st_size / 1e6:.1f} MB; "
        f"{metadata['activation']}, epsilon {metadata['layer_norm_eps']}")
    if len(towers) < 2:
        log(f"note: it is the {towers[0]} tower alone; lilypad's programs need both")


def main():
    arguments = parse_arguments()
    log = (lambda text: None) if arguments.quiet else (lambda text: print(text, flush=True))
    if arguments.source:
        convert(arguments, log)
    elif arguments.output or arguments.activation or arguments.config or arguments.f32:
        raise ToolError("name the file to convert")
    try:
        fetch_vocabulary(arguments.to, arguments.cache, log)
    except ToolError as error:
        if not arguments.source:
            raise
        log(f"note: the vocabulary is not there: {error}")  # the weights are
    return 0


if __name__ == "__main__":
    sys.exit(run_tool("convert_clip", main))
