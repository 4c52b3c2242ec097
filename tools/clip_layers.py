# SPDX-License-Identifier: MIT
"""CLIP's tensors: their names in the source formats, their shapes, and reading them.

What comes out is {name: array} with OpenAI's names, whatever the source: OpenAI's own, open_clip's (the same, or with the text tower
behind "text."), or Hugging Face's (q, k and v apart, projections transposed).
"""

import re
import zipfile

import numpy as np
from pickle_machine import Tensor
from restricted_pickle import load_state_dict
from safetensors_file import load_tensors, read_header
from toolkit import ToolError, explain_os_error, one_line

# What says under which prefix a CLIP lies, and by whose names.
MARKS = {"openai": ("visual.conv1.weight", "ln_final.weight"),
         "hugging-face": ("vision_model.embeddings.patch_embedding.weight", "text_model.final_layer_norm.weight"),
         "hugging-face text": ("final_layer_norm.weight",)}
# Beside the parameters: sizes as numbers, masks and positions that follow from them.
NOT_PARAMETERS = re.compile(r"(input_resolution|context_length|vocab_size|attn_mask|.*position_ids)")
BLOCK = {"ln_1.weight": ("W",), "ln_1.bias": ("W",), "ln_2.weight": ("W",), "ln_2.bias": ("W",), "attn.in_proj_weight": ("3W", "W"),
         "attn.in_proj_bias": ("3W",), "attn.out_proj.weight": ("W", "W"), "attn.out_proj.bias": ("W",), "mlp.c_fc.weight": ("H", "W"),
         "mlp.c_fc.bias": ("H",), "mlp.c_proj.weight": ("W", "H"), "mlp.c_proj.bias": ("W",)}


def file_format(path):
    """"torch" or "safetensors", from what the file holds."""
    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError as error:
        raise explain_os_error(error, path, "read") from None
    if start[:2] == b"PK" or start[:1] == b"\x80":
        return "torch"
    if start[8:] == b"{":
        return "safetensors"
    raise ToolError(f"{path}: is neither a file of PyTorch (.pt, .pth, .bin) nor safetensors")


def find_model(names, path):
    """(kind, prefix): the one CLIP among these names."""
    found = {}
    for kind, marks in MARKS.items():
        for name in names:
            for mark in marks:
                if name == mark or name.endswith("." + mark):
                    prefix = name[:len(name) - len(mark)].removesuffix("text.")
                    if kind == "hugging-face text" and prefix.endswith("text_model."):
                        continue
                    found.setdefault(prefix, kind)
    if not found:
        raise ToolError(f"{path}: holds no CLIP with a vision transformer; its tensors are {one_line(', '.join(list(names)[:8]))}, ...")
    if len(found) > 1:
        raise ToolError(f"{path}: holds several models: {one_line(', '.join(prefix or 'the root' for prefix in found))}")
    prefix, kind = found.popitem()
    return kind, prefix


def read_source(path):
    """({name: array} by the source's names without their prefix, kind)."""
    if file_format(path) == "safetensors":
        entries = read_header(path)[0]
        kind, prefix = find_model(entries, path)
        arrays = load_tensors(path, [name for name in entries if wanted(name, prefix)])
    else:
        place = {}

        def choose(found):
            names = [name for name, value in found.items() if isinstance(value, Tensor)]
            place["is"] = find_model(names, path)
            return [name for name in names if wanted(name, place["is"][1])]

        arrays = load_state_dict(path, choose)
        kind, prefix = place["is"]
    return {name[len(prefix):]: array for name, array in arrays.items()}, kind


def wanted(name, prefix):
    return name.startswith(prefix) and not NOT_PARAMETERS.fullmatch(name[len(prefix):])


def openai_names(arrays, kind, path):
    """The tensors by OpenAI's names."""
    if kind == "openai":
        return {name.removeprefix("text."): array for name, array in arrays.items()}
    if kind == "hugging-face text":
        arrays = {f"text_model.{name}": array for name, array in arrays.items()}
    renamed, parts = {}, {}
    for name, array in arrays.items():
        new, part = hugging_face_name(name)
        if part is None:
            renamed[new] = np.ascontiguousarray(array.T) if new in ("visual.proj", "text_projection") else array
        else:
            parts.setdefault(new, {})[part] = array
    for new, found in parts.items():
        if found.keys() != {"q", "k", "v"} or len({array.shape for array in found.values()}) > 1:
            raise ToolError(f"{path}: {new} is made of q, k and v of one shape; it has {one_line(', '.join(sorted(found)))}")
        renamed[new] = np.concatenate([found[part] for part in "qkv"])
    return renamed


SINGLE = {"vision_model.embeddings.class_embedding": "visual.class_embedding",
          "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
          "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
          "visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection",
          "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
          "text_model.embeddings.position_embedding.weight": "positional_embedding", "logit_scale": "logit_scale"}
PARTS = (("vision_model.pre_layrnorm.", "visual.ln_pre."), ("vision_model.post_layernorm.", "visual.ln_post."),
         ("text_model.final_layer_norm.", "ln_final."), ("vision_model.encoder.layers.", "visual.transformer.resblocks."),
         ("text_model.encoder.layers.", "transformer.resblocks."))
INNER = ((".layer_norm1.", ".ln_1."), (".layer_norm2.", ".ln_2."), (".mlp.fc1.", ".mlp.c_fc."), (".mlp.fc2.", ".mlp.c_proj."),
         (".self_attn.out_proj.", ".attn.out_proj."))


def hugging_face_name(name):
    """(OpenAI's name, None), or (the joined tensor's name, "q", "k" or "v"); an unknown name stays as it is."""
    if name in SINGLE:
        return SINGLE[name], None
    for old, new in PARTS:
        if name.startswith(old):
            name = new + name[len(old):]
    if match := re.fullmatch(r"(.*\.)self_attn\.([qkv])_proj\.(weight|bias)", name):
        return f"{match[1]}attn.in_proj_{match[3]}", match[2]
    for old, new in INNER:
        name = name.replace(old, new)
    return name, None


def layers_of(names, tower):
    indices = [int(match[1]) for name in names if (match := re.match(re.escape(tower) + r"transformer\.resblocks\.(\d{1,4})\.", name))]
    return max(indices, default=-1) + 1


def expected_shapes(arrays, towers):
    """{name: shape} of a CLIP with as many layers as these names have; None is a size that a missing tensor would have said."""
    def size(name, axis):
        shape = arrays[name].shape if name in arrays else ()
        return shape[axis] if len(shape) > axis else None

    def block(tower, width):
        for layer in range(layers_of(arrays, tower)):
            start = f"{tower}transformer.resblocks.{layer}."
            sizes = {"W": width, "3W": width and 3 * width, "H": size(start + "mlp.c_fc.weight", 0)}
            for name, letters in BLOCK.items():
                table[start + name] = tuple(sizes[letter] for letter in letters)

    table = {}
    both = len(towers) == 2
    if "image" in towers:
        width, patch = size("visual.conv1.weight", 0), size("visual.conv1.weight", 3)
        table |= {"visual.class_embedding": (width,), "visual.conv1.weight": (width, 3, patch, patch),
                  "visual.positional_embedding": (size("visual.positional_embedding", 0), width)}
        table |= {f"visual.{norm}.{part}": (width,) for norm in ("ln_pre", "ln_post") for part in ("weight", "bias")}
        block("visual.", width)
        if both or "visual.proj" in arrays:
            table["visual.proj"] = (width, size("visual.proj", 1))
    if "text" in towers:
        width = size("token_embedding.weight", 1)
        table |= {"token_embedding.weight": (size("token_embedding.weight", 0), width), "positional_embedding": (size("positional_embedding", 0), width),
                  "ln_final.weight": (width,), "ln_final.bias": (width,)}
        block("", width)
        if both or "text_projection" in arrays:
            table["text_projection"] = (width, size("visual.proj", 1) if both else size("text_projection", 1))
    if both:
        table["logit_scale"] = ()
    return table


def complaints(arrays, towers):
    """A line for every tensor that is missing, unknown, of another shape, or not of finite numbers with a fraction."""
    table, lines = expected_shapes(arrays, towers), []
    for name, shape in table.items():
        if name not in arrays:
            lines.append(f"missing: {name}")
        elif len(arrays[name].shape) != len(shape) or any(b not in (None, a) for a, b in zip(arrays[name].shape, shape)):
            shown = ", ".join("?" if side is None else str(side) for side in shape)
            lines.append(f"of another shape: {name} {arrays[name].shape}, expected ({shown})")
        elif arrays[name].dtype.kind != "f":
            lines.append(f"not numbers with a fraction: {name} {arrays[name].dtype}")
        elif not np.isfinite(arrays[name]).all():
            lines.append(f"NaN or infinity: {name}")
    return lines + [f"unknown: {one_line(name)} {arrays[name].shape}" for name in arrays if name not in table]


def code_text(path, most=16 << 20):
    """All code of a TorchScript archive as text, or None for any other file. It is searched, not run."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if re.fullmatch(r"[^/]+/code/.*\.py", info.filename)]
            if not members:
                return None
            if sum(info.file_size for info in members) > most:
                raise ToolError(f"{path}: has more than {most >> 20} MiB of code")
            return "\n".join(archive.read(info).decode("utf-8", "replace") for info in members)
    except OSError as error:
        raise explain_os_error(error, path, "read") from None
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise ToolError(f"{path}: damaged or cut short ({one_line(error)})") from None
