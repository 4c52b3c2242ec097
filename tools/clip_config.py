# SPDX-License-Identifier: MIT
"""What CLIP's tensors do not say: activation, epsilon, heads and where a text is read, from what stands beside them."""

import json
import re
from pathlib import Path

import clip_layers
from toolkit import ToolError, explain_os_error, one_line

ACTIVATIONS = ("quick_gelu", "gelu", "gelu_tanh")
HUGGING_FACE = {"quick_gelu": "quick_gelu", "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}
OPENAI_END, OLD_END = 49407, 2


def settings(path, kind, arrays, config, activation):
    """{key: text} for the metadata; refuses a model whose activation nobody says."""
    source = Path(path)
    beside = Path(config) if config else source.with_name("open_clip_config.json" if kind == "openai" else "config.json")
    if config or beside.is_file():
        data = load(beside)
        found = of_open_clip(data, arrays, beside) if "model_cfg" in data else of_hugging_face(data, beside)
        found["config"] = beside.name
    else:
        found = of_torch_script(path) if clip_layers.file_format(path) == "torch" else {}
    if activation and found.get("activation", activation) != activation:
        raise ToolError(f"{path}: its {found.get('config', 'code')} says {found['activation']}, and --activation {activation}; leave the option out")
    if activation:
        found["activation"] = activation
    if "activation" not in found:
        raise ToolError(f"{path}: nothing says its activation: there is no {beside.name} beside it; give --activation quick_gelu (OpenAI's "
                        "models and those trained like them) or gelu (most of open_clip's)")
    found.setdefault("layer_norm_eps", "1e-05")
    vocabulary = arrays["token_embedding.weight"].shape[0] if "token_embedding.weight" in arrays else 0
    found.setdefault("eot_id", str(OPENAI_END) if vocabulary > OPENAI_END else "largest")
    for tower, width in (("vision", arrays.get("visual.conv1.weight")), ("text", arrays.get("ln_final.weight"))):
        if width is not None:
            found.setdefault(f"{tower}_heads", str(max(1, width.shape[0] // 64)))
            if width.shape[0] % int(found[f"{tower}_heads"]):
                raise ToolError(f"{path}: {found[f'{tower}_heads']} heads do not divide the {tower} tower's width {width.shape[0]}")
    return found


def load(path):
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise explain_os_error(error, path, "read") from None
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{path}: not valid JSON ({one_line(error)})") from None
    if not isinstance(data, dict):
        raise ToolError(f"{path}: not a model's configuration")
    return data


def number(value, path, name):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1 << 31:
        raise ToolError(f"{path}: {name} is {one_line(value)}, expected a number above 0")
    return value


def equal(values, path, name):
    """The one value of both towers."""
    if len(set(values)) > 1:
        raise ToolError(f"{path}: the towers have different {name}: {one_line(', '.join(map(str, values)))}; one is read")
    return values[0]


def of_hugging_face(data, path):
    """config.json of a CLIPModel or of one tower; what it leaves out has the defaults of transformers."""
    kind = data.get("model_type", "clip")
    if kind not in ("clip", "clip_text_model", "clip_vision_model"):
        raise ToolError(f"{path}: describes a model of type {one_line(kind)}, not clip")
    towers = {"text": data.get("text_config") or {}, "vision": data.get("vision_config") or {}} if kind == "clip" else {kind.split("_")[1]: data}
    if not all(isinstance(tower, dict) for tower in towers.values()):
        raise ToolError(f"{path}: not a model's configuration")
    words = equal([tower.get("hidden_act", "quick_gelu") for tower in towers.values()], path, "activations")
    if words not in HUGGING_FACE:
        raise ToolError(f"{path}: its activation is {one_line(words)}; read are {', '.join(HUGGING_FACE)}")
    eps = equal([number(tower.get("layer_norm_eps", 1e-5), path, "layer_norm_eps") for tower in towers.values()], path, "layer_norm_eps")
    found = {"activation": HUGGING_FACE[words], "layer_norm_eps": repr(float(eps))}
    for tower, default in (("text", 8), ("vision", 12)):
        if tower in towers:
            found[f"{tower}_heads"] = str(int(number(towers[tower].get("num_attention_heads", default), path, "num_attention_heads")))
    if "text" in towers:
        end = int(number(towers["text"].get("eos_token_id", OPENAI_END), path, "eos_token_id"))
        found["eot_id"] = "largest" if end == OLD_END else str(end)  # files before the id was put right pool at the largest
    return found


def of_open_clip(data, arrays, path):
    model = data["model_cfg"]
    towers = [model.get(key) for key in ("vision_cfg", "text_cfg")] if isinstance(model, dict) else [None]
    if not all(isinstance(tower, dict) for tower in towers):
        raise ToolError(f"{path}: not a model's configuration")
    tanh = any((tower.get("act_kwargs") or {}).get("approximate") == "tanh" for tower in towers)
    eps = equal([number((tower.get("norm_kwargs") or {}).get("eps", 1e-5), path, "eps") for tower in towers], path, "eps")
    found = {"activation": "quick_gelu" if model.get("quick_gelu") else "gelu_tanh" if tanh else "gelu", "layer_norm_eps": repr(float(eps))}
    width = arrays["visual.conv1.weight"].shape[0] if "visual.conv1.weight" in arrays else 0
    found["vision_heads"] = str(max(1, width // int(number(towers[0].get("head_width", 64), path, "head_width"))))
    if "heads" in towers[1]:
        found["text_heads"] = str(int(number(towers[1]["heads"], path, "heads")))
    return found


def of_torch_script(path):
    """From the code's text: the class QuickGELU or its factor 1.702, or gelu; and layer_norm's last number."""
    text = clip_layers.code_text(path)
    if text is None:
        return {}
    found = {}
    quick = re.search(r"\bQuickGELU\b|\b1\.702", text) is not None
    plain = re.search(r"\btorch\.gelu\(|\bgelu\(", text) is not None
    if quick != plain:
        found["activation"] = "quick_gelu" if quick else "gelu"
    eps = {float(number) for number in re.findall(r"layer_norm\([^()]*(?:\[[^\]]*\])?[^()]*?, (\d[\d.]*e-\d+|0\.\d+)[,)]", text)}
    if len(eps) > 1:
        raise ToolError(f"{path}: its layer norms have different epsilons: {', '.join(map(str, sorted(eps)))}; one is read")
    if eps:
        found["layer_norm_eps"] = repr(eps.pop())
    return found
