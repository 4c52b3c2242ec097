# SPDX-License-Identifier: MIT
"""Tiny CLIPs by OpenAI's names, and the same by the names and in the files of others."""

import io
import zipfile

import torch_files as make
from torch_files import np

WIDTHS = {"visual.": 16, "": 8}
LAYERS = {"visual.": 2, "": 1}
QUICK_GELU = "class QuickGELU(Module):\n  def forward(self, x):\n    ret = torch.layer_norm(x, [64], w, b, 1.0000000000000001e-05)\n"


def tiny(dtype="<f4", seed=0):
    """{OpenAI's name: array}: pictures of 8 pixels in patches of 4, texts of 6 tokens out of 20, features of 4 numbers."""
    rng = np.random.default_rng(seed)
    shapes = {"visual.class_embedding": (16,), "visual.positional_embedding": (5, 16), "visual.proj": (16, 4),
              "visual.conv1.weight": (16, 3, 4, 4), "positional_embedding": (6, 8), "token_embedding.weight": (20, 8),
              "text_projection": (8, 4), "logit_scale": ()}
    shapes |= {f"{norm}.{part}": (width,) for norm, width in (("visual.ln_pre", 16), ("visual.ln_post", 16), ("ln_final", 8))
               for part in ("weight", "bias")}
    for tower, layers in LAYERS.items():
        w = WIDTHS[tower]
        for layer in range(layers):
            block = {"ln_1.weight": (w,), "ln_1.bias": (w,), "ln_2.weight": (w,), "ln_2.bias": (w,), "attn.in_proj_weight": (3 * w, w),
                     "attn.in_proj_bias": (3 * w,), "attn.out_proj.weight": (w, w), "attn.out_proj.bias": (w,), "mlp.c_fc.weight": (4 * w, w),
                     "mlp.c_fc.bias": (4 * w,), "mlp.c_proj.weight": (w, 4 * w), "mlp.c_proj.bias": (w,)}
            shapes |= {f"{tower}transformer.resblocks.{layer}.{name}": shape for name, shape in block.items()}
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def hugging_face(arrays):
    """The same by Hugging Face's names: q, k and v apart, projections transposed."""
    single = {"visual.class_embedding": "vision_model.embeddings.class_embedding", "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
              "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight", "logit_scale": "logit_scale",
              "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
              "positional_embedding": "text_model.embeddings.position_embedding.weight"}
    starts = {"visual.ln_pre": "vision_model.pre_layrnorm", "visual.ln_post": "vision_model.post_layernorm", "ln_final": "text_model.final_layer_norm",
              "visual.transformer.resblocks": "vision_model.encoder.layers", "transformer.resblocks": "text_model.encoder.layers"}
    inner = {".ln_1.": ".layer_norm1.", ".ln_2.": ".layer_norm2.", ".c_fc.": ".fc1.", ".c_proj.": ".fc2.", ".attn.out_proj.": ".self_attn.out_proj."}
    found = {}
    for name, array in arrays.items():
        if name in single:
            found[single[name]] = array
        elif name in ("visual.proj", "text_projection"):
            found[name.replace("visual.proj", "visual_projection") + ".weight"] = np.ascontiguousarray(array.T)
        else:
            start = next(start for start in starts if name.startswith(start + "."))
            new = starts[start] + name[len(start):]
            for old, other in inner.items():
                new = new.replace(old, other)
            if ".attn.in_proj_" in new:
                before, part = new.split("attn.in_proj_")
                found |= {f"{before}self_attn.{letter}_proj.{part}": piece for letter, piece in zip("qkv", np.split(array, 3))}
            else:
                found[new] = array
    found["text_model.embeddings.position_ids"] = np.arange(6)[None]
    return found


def torch_script(arrays, code=QUICK_GELU):
    """An archive as torch.jit.save writes it: objects of classes whose code stands beside them, compressed."""
    flat, storages = make.tensors(arrays | {"input_resolution": np.array(8), "context_length": np.array(6), "vocab_size": np.array(20)})
    tree = {}
    for name, tensor in flat.items():
        *parts, last = name.split(".")
        place = tree
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = tensor

    def as_object(value):
        if not isinstance(value, dict):
            return value
        return make.Object("__torch__.multimodal.model", "Part", {"training": False} | {key: as_object(item) for key, item in value.items()})

    buffer = io.BytesIO(make.zip_file(as_object(tree), storages))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/code/__torch__/multimodal/model.py", code)
    return buffer.getvalue()
