# SPDX-License-Identifier: MIT
"""torch.save files: what is read, and what is refused."""

import builtins
import io
import os
import random
import struct
import subprocess
import tempfile
import tracemalloc
import unittest
import zipfile
from pathlib import Path

import torch_files as make
from restricted_pickle import Machine, PickleRefused, load_from_stream, load_state_dict
from toolkit import ToolError, one_line
from torch_files import Call, Raw, Storage, np, rebuild

ARRAYS = {
    "features.0.weight": np.arange(24, dtype="<f4").reshape(2, 3, 2, 2) / 7,
    "features.0.bias": np.array([1.5, -2.0], "<f8"),
    "codes": np.arange(7, dtype="|u1"),
    "steps": np.array(42, "<i8"),
    "half": np.array([0.5, 65504.0], "<f2"),
    "empty": np.zeros((0, 3), "<f4"),
}
FORMS = {"zip": make.zip_file, "legacy": make.legacy_file}


def load(data):
    return load_from_stream(io.BytesIO(data), "test.pth")


class Refusals(unittest.TestCase):
    def refused(self, data, *words):
        with self.assertRaises(PickleRefused) as caught:
            load(data)
        text = str(caught.exception)
        self.assertTrue(text.startswith("test.pth: "), text)
        self.assertNotIn("\n", one_line(text))
        for word in words:
            self.assertIn(word, text)


class Reads(unittest.TestCase):
    def test_every_dtype_in_both_forms(self):
        for form, write in FORMS.items():
            with self.subTest(form):
                found = load(write(*make.tensors(ARRAYS)))
                self.assertEqual(list(found), list(ARRAYS))
                for name, array in ARRAYS.items():
                    np.testing.assert_array_equal(found[name], array)
                    self.assertEqual((found[name].dtype, found[name].shape), (array.dtype, array.shape))

    def test_checkpoints_whose_optimiser_counts_by_id(self):
        # PyTorch 1.4 and before: the state of each parameter under its id(), of 47 bits.
        checkpoint = {"state_dict": {}, "optimizer": {"state": {140234567890123: {"step": 7}}}}
        tensors, storages = make.tensors(ARRAYS)
        for form, write in FORMS.items():
            with self.subTest(form):
                found = load(write({**checkpoint, "state_dict": tensors}, storages))
                self.assertEqual(list(found), ["state_dict." + name for name in ARRAYS])

    def test_views_share_a_storage(self):
        storage = Storage("0", np.arange(12, dtype="<f4"))
        state = {"t": rebuild(storage, 0, (4, 3), (1, 4)), "tail": rebuild(storage, 10, (2,), (1,)),
                 "row": rebuild(storage, 4, (2, 2), (0, 1))}
        for form, write in FORMS.items():
            with self.subTest(form):
                found = load(write(state, [storage]))
                np.testing.assert_array_equal(found["t"], np.arange(12).reshape(3, 4).T)
                np.testing.assert_array_equal(found["tail"], [10, 11])
                np.testing.assert_array_equal(found["row"], [[4, 5], [4, 5]])

    def test_bfloat16_becomes_float(self):
        storage = Storage("0", np.array([0x3F80, 0xC000], "<u2"))
        opcodes = make.encode(("storage", Raw(make.name_opcode("torch", "BFloat16Storage")), "0", "cpu", 2)) + b"Q"
        state = {"b": rebuild(Raw(opcodes), 0, (2,), (1,))}
        np.testing.assert_array_equal(load(make.zip_file(state, [storage]))["b"], np.float32([1, -2]))

    def test_parameters_metadata_and_nested_state(self):
        state, storages = make.tensors({"w": np.ones(3, "<f4")})
        parameter = Call("torch._utils", "_rebuild_parameter", state["w"], True, Call("collections", "OrderedDict"))
        ordered = make.encode(Call("collections", "OrderedDict"))
        filled = ordered + b"(" + make.encode("w") + make.encode(parameter) + b"u"
        built = filled + make.encode({"_metadata": {"": {"version": 1}}}) + b"b"  # BUILD, as torch.save writes it
        data = make.zip_file({"epoch": 3, "state_dict": Raw(built)}, storages)
        np.testing.assert_array_equal(load(data)["state_dict.w"], [1, 1, 1])

    def test_tensors_whose_sign_was_put_off(self):
        # y = z.conj().imag is a view of z's numbers with the negative bit: PyTorch 2 saves both as they lie.
        reals, numbers = np.float32([1.5, -2, 3]), np.complex64([1 + 2j, -3j])
        real, complex_ = Storage("0", reals), Storage("1", numbers)
        state = {"plain": rebuild(real, 0, (3,), (1,), {}), "false": rebuild(real, 0, (3,), (1,), {"neg": False, "conj": False}),
                 "neg": rebuild(real, 0, (3,), (1,), {"neg": True}), "conj": rebuild(complex_, 0, (2,), (1,), {"conj": True}),
                 "both": rebuild(complex_, 0, (2,), (1,), {"conj": True, "neg": True})}
        for form, write in FORMS.items():
            with self.subTest(form):
                found = load(write(state, [real, complex_]))
                for name, expected in (("plain", reals), ("false", reals), ("neg", -reals), ("conj", numbers.conj()), ("both", -numbers.conj())):
                    np.testing.assert_array_equal(found[name], expected, err_msg=name)

    def test_expanded_tensors(self):
        storage = Storage("0", np.float32([7, 8]))
        state = {"w": rebuild(storage, 1, (64,), (0,)), "m": rebuild(storage, 0, (2, 3), (1, 0))}
        for form, write in FORMS.items():
            with self.subTest(form):
                found = load(write(state, [storage]))
                np.testing.assert_array_equal(found["w"], np.full(64, 8))
                np.testing.assert_array_equal(found["m"], [[7, 7, 7], [8, 8, 8]])

    def test_big_endian_archives(self):
        state, storages = make.tensors(ARRAYS)
        found = load(make.zip_file(state, storages, byteorder="big"))
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)
            self.assertEqual(found[name].dtype, array.dtype)
        bits = Storage("0", np.array([0x3F80, 0xC000], "<u2"))
        np.testing.assert_array_equal(load(make.zip_file({"b": rebuild(bits, 0, (2,), (1,))}, [bits], byteorder="big"))["b"], [1, -2])

    def test_archives_without_checksums(self):
        state, storages = make.tensors(ARRAYS)
        data = make.zip_file(state, storages, checksums=False)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(load(data)[name], array)
        with zipfile.ZipFile(io.BytesIO(data)) as archive, self.assertRaisesRegex(zipfile.BadZipFile, "CRC"):
            archive.read("archive/data/0")

    def test_what_lies_beside_the_tensors(self):
        state, storages = make.tensors({"w": np.ones(3, "<f4")})
        dtype = Call("numpy", "dtype", "f8", False, True)
        beside = {
            "args": make.Object("argparse", "Namespace", {"lr": 0.1, "dir": Call("pathlib", "PosixPath", "x")}), "epoch": 3,
            "loss": Call("numpy._core.multiarray", "scalar", dtype, b"12345678"), "names": Call("__builtin__", "set", ["a"]),
            "by": Raw(b"}" + make.encode((1, 2)) + b"Ns"), "slots": Raw(make.encode(make.Object("m", "Conf", (None, {"a": 1})))),
            "more": Raw(make.name_opcode("collections", "defaultdict") + make.name_opcode("__builtin__", "list") + b"\x85R" + make.encode("k") + b"]s"),
            "set": Raw(b"\x8f(K\x01\x90"), "frozen": Raw(b"(K\x01\x91"), "list": Raw(make.encode(make.Object("m", "List", {})) + b"K\x01a"),
            "method": Raw(make.encode(Call("__builtin__", "getattr", "x", "y")) + b")R"), "float": 1.5,
        }
        for form, write in FORMS.items():
            with self.subTest(form):
                data = io.BytesIO(write({**beside, "state_dict": state}, storages))
                found = load_from_stream(data, "x", lambda found: [name for name in found if name.endswith("w")])
                np.testing.assert_array_equal(found["state_dict.w"], [1, 1, 1])

    def test_tensors_with_attributes(self):
        state, storages = make.tensors({"w": np.ones(3, "<f4")})
        tensor = state["w"]
        function = Raw(make.name_opcode("torch._utils", "_rebuild_tensor_v2"))
        for kind, read in (("torch Tensor", True), ("torch.nn.parameter Parameter", True), ("m Subclass", False)):
            call = Call("torch._tensor", "_rebuild_from_type_v2", function, Raw(make.name_opcode(*kind.split())), tensor.arguments, {"note": 1})
            data = make.zip_file({"w": call}, storages)
            if read:
                np.testing.assert_array_equal(load(data)["w"], [1, 1, 1])
            else:
                with self.assertRaisesRegex(PickleRefused, "made by 'm.Subclass'"):
                    load(data)

    def test_whole_modules(self):
        state, storages = make.tensors({"weight": np.ones((2, 3), "<f4"), "bias": np.zeros(2, "<f4")})
        inner = make.module("Sequential", modules={"0": make.module("Linear", state)})
        outer = make.module("DataParallel", modules={"module": inner})
        compiled = Call("torch._dynamo.eval_frame", "OptimizedModule", inner, None)
        script = make.Object("__torch__.M", "M", {"0": make.Object("__torch__.L", "Linear", state)})
        for form, write in FORMS.items():
            for value, before in ((inner, ""), (outer, "module."), ({"model": inner}, "model."), (compiled, "0."), (script, ""), ([script, 1], "0.")):
                with self.subTest(form=form, before=before):
                    found = load_from_stream(io.BytesIO(write(value, storages)), "x", lambda found: [name for name in found if "." in name])
                    self.assertEqual(list(found), [before + "0.weight", before + "0.bias"])
        source = Raw(make.encode(("module", Raw(make.name_opcode("m", "Net")), "net.py", "class Net: ...")) + b"Q")
        named = Raw(bytes(source) + b")\x81" + make.encode({"_parameters": state}) + b"b")
        found = load(make.legacy_file(named, storages))
        self.assertEqual(list(found), ["weight", "bias"])

    def test_what_holds_itself_comes_to_an_end(self):
        state, storages = make.tensors({"w": np.ones(3, "<f4")})
        loop = Raw(b"}q\x00(" + make.encode("self") + b"h\x00" + make.encode("w") + make.encode(state["w"]) + b"u")
        self.assertEqual(list(load(make.zip_file(loop, storages))), ["w"])
        # A list of itself doubled 60 times: 2^60 paths lead to the tensor.
        bomb = Raw(make.encode([state["w"]]) + b"".join(b"q" + bytes([i]) + b"]h" + bytes([i]) + b"ah" + bytes([i]) + b"a" for i in range(60)))
        self.assertEqual(list(load(make.zip_file(bomb, storages))), [])
        # Modules whose parts are modules: 3^60 paths, and one that is its own part.
        layer = make.name_opcode("m", "M") + b")\x81"
        bomb = layer + make.encode({"_modules": state}) + b"b"
        for i in range(60):
            parts = b"".join(make.encode(part) + b"h" + bytes([i]) for part in ("_parameters", "_buffers", "_modules"))
            bomb += b"q" + bytes([i]) + b"0" + layer + b"}(" + parts + b"ub"
        own = layer + b"q\x00}" + make.encode("_modules") + b"h\x00sb"
        for pickled in (bomb, own):
            for write in FORMS.values():
                self.assertEqual(load(write({"m": Raw(pickled), "w": state["w"]}, storages)).keys(), {"w"})
        deep = state["w"]
        for _ in range(20):
            deep = {"k": deep}
        self.assertEqual(list(load(make.zip_file(deep, storages))), [".".join("k" * 20)])
        long = {"n" * 1000: state["w"], "a" * 200: {"b" * 200: state["w"]}, "w": state["w"]}
        self.assertEqual(list(load(make.zip_file(long, storages))), ["w"])

    def test_unwanted_tensors_are_not_loaded(self):
        for form, write in FORMS.items():
            with self.subTest(form):
                data = io.BytesIO(write(*make.tensors(ARRAYS)))
                self.assertEqual(list(load_from_stream(data, "x", lambda found: ["steps"])), ["steps"])

    def test_files_of_pytorch_itself(self):
        try:
            import torch
        except ImportError:
            self.skipTest("PyTorch is not installed; the hand-written files above stand for its own")
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.BatchNorm2d(4))
        state = model.state_dict()
        state["bf16"] = torch.randn(5).bfloat16()
        state["view"] = torch.arange(12.0).reshape(3, 4).t()[1:]
        for new_form in (True, False):
            with self.subTest(zip=new_form):
                buffer = io.BytesIO()
                torch.save(state, buffer, _use_new_zipfile_serialization=new_form)
                found = load(buffer.getvalue())
                self.assertEqual(set(found), set(state))
                for name, tensor in state.items():
                    np.testing.assert_array_equal(found[name], tensor.float().numpy() if name == "bf16" else tensor.numpy())


class Hostile(Refusals):
    def test_calls_are_refused_and_not_run(self):
        with tempfile.TemporaryDirectory() as folder:
            proof = Path(folder) / "ran"
            touch = f"touch {proof}"
            traps = {
                "posix.system": (os.system, touch),
                "eval": (builtins.eval, f"open({str(proof)!r}, 'w')"),
                "exec": (builtins.exec, f"open({str(proof)!r}, 'w')"),
                "getattr": (builtins.getattr, "text", "upper"),
                "__import__": (builtins.__import__, "os"),
                "open": (builtins.open, str(proof), "w"),
                "Popen": (subprocess.Popen, ["touch", str(proof)]),
            }
            for name, (function, *arguments) in traps.items():
                pickled = make.hostile_pickle(function, *arguments)
                with self.subTest(name):
                    buffer = io.BytesIO()
                    with zipfile.ZipFile(buffer, "w") as archive:
                        archive.writestr("archive/data.pkl", pickled)
                    self.refused(buffer.getvalue(), name, "nothing is run")
                    head = b"".join(make.pickled(part) for part in (make.MAGIC, 1001, {"little_endian": True}))
                    self.refused(head + pickled, name, "nothing is run")
                    self.refused(pickled, name)  # in place of the magic number
            self.assertFalse(proof.exists())

    def test_chains_of_names(self):
        chain = Call("builtins", "getattr", Call("builtins", "__import__", "os"), "system")
        self.refused(make.zip_file({"x": chain}, []), "builtins.")
        for module, name in [("torch", "load"), ("torch._utils", "_rebuild_tensor_v2.__globals__"), ("torch.storage", "_load_from_bytes"),
                             ("numpy.core.multiarray", "_reconstruct"), ("collections", "OrderedDict.__init__"), ("", "")]:
            self.refused(make.zip_file({"x": Call(module, name, "x")}, []), "only tensors are read")

    def test_the_traps_are_real(self):
        import pickle
        with tempfile.TemporaryDirectory() as folder:
            proof = Path(folder) / "ran"
            pickle.loads(make.hostile_pickle(os.system, f"touch {proof}"))
            self.assertTrue(proof.exists())

    def test_other_instructions(self):
        for name, opcodes in {
            "INST": b"(ios\nsystem\n", "OBJ": b"(" + make.name_opcode("collections", "OrderedDict") + b"o",
            "PERSID": b"Pkey\n",
            "EXT1": b"\x82\x01", "STACK_GLOBAL": b"\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R", "DUP": b"N2",
        }.items():
            with self.subTest(name):
                self.refused(make.zip_file({"x": Raw(opcodes)}, []), "os.system" if name == "STACK_GLOBAL" else name)

    def test_allowed_names_with_wrong_arguments(self):
        storage = Storage("0", np.ones(4, "<f4"))
        ordered = make.name_opcode("collections", "OrderedDict")
        for bad in (
            Call("torch", "FloatStorage", 5), Call("collections", "OrderedDict", [("a", 1)]),
            rebuild("not a storage", 0, (1,), (1,)), rebuild(storage, 0, [4], [1]), rebuild(storage, 0, (4,), (1, 1)),
            rebuild(storage, 0, ("4",), (1,)), rebuild(storage, True, (1,), (1,)), rebuild(storage, 0, (1,) * 9, (1,) * 9),
            Call("torch._utils", "_rebuild_parameter", 7), Raw(b"NNR"), Raw(ordered + b"NR"), Raw(b"NQ"), Raw(ordered + b"Q"),
            Raw(make.encode(("storage", Raw(ordered), "0", "cpu", 4)) + b"Q"),
            Raw(make.encode(("module", Raw(make.name_opcode("torch", "FloatStorage")), "0", "cpu", 4)) + b"Q"),
            Raw(make.encode(("storage", Raw(make.name_opcode("torch", "FloatStorage")), "0", "cpu", 4, ("1", 0, 4))) + b"Q"),
        ):
            with self.subTest(make.encode(bad)):
                self.refused(make.zip_file({"x": bad}, [storage]))

    def test_tensors_outside_their_storage(self):
        storage = Storage("0", np.ones(8, "<f4"))
        for offset, shape, strides in [(0, (9,), (1,)), (1, (8,), (1,)), (0, (2, 4), (5, 1)), (-1, (2,), (1,)), (0, (-2,), (1,)),
                                       (0, (2,), (-1,)), (8, (1,), (1,)), (1 << 40, (1,), (1,)), (0, (1 << 30,), (0,)),
                                       (0, (1 << 62, 1 << 62), (1, 1)), (0, (1 << 70,), (0,)), (0, (2,), (1 << 63,))]:
            with self.subTest((offset, shape, strides)):
                state = {"w": rebuild(storage, offset, shape, strides)}
                for write in FORMS.values():
                    self.refused(write(state, [storage]), "'0'")

    def test_sizes_that_are_not_there(self):
        lie = Storage("0", np.ones(4, "<f4"), count=1 << 40)
        state = {"w": rebuild(lie, 0, (1 << 40,), (1,))}
        short = Storage("0", np.ones(4, "<f4"), count=5)
        tracemalloc.start()
        for write in FORMS.values():
            self.refused(write(state, [lie]), str(4 << 40))
            self.refused(write({"w": rebuild(short, 0, (5,), (1,))}, [short]), "20 bytes")
        self.refused(make.zip_file({"w": rebuild(lie, 0, (1,), (1,))}, []), "has none")
        # Opcodes that announce far more than follows
        for opcode in (b"X\xff\xff\xff\xff", b"\x8d" + b"\xff" * 7 + b"\x7f", b"\x8e" + b"\xff" * 7 + b"\x7f", b"\x8b\xff\xff\xff\x7f",
                       b"r\xff\xff\xff\xff", b"B\xff\xff\xff\x7f", b"T\xff\xff\xff\x7f"):
            self.refused(b"\x80\x02" + opcode)
            self.refused(make.zip_file(Raw(opcode), []))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        self.assertLess(peak, 40 << 20)

    def test_pickles_without_end(self):
        self.refused(b"\x80\x02" + b"]" * 100)
        self.refused(b"\x80\x02" + b"N0" * 600_000 + b"N.", "far longer")
        self.refused(b"\x80\x02" + b"N" + b"\x85" * 900_000 + b".", "torch.save did not write")
        self.refused(b"\x80\x02" + b"X\x00\x00\x00\x01" + b"a" * (1 << 24) + b".", "far longer")

    def test_names_made_of_nested_tuples_stay_short(self):
        # A tuple of itself doubled 60 times: 2^60 leaves if anything printed or compared it.
        bomb = Raw(b")" + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(60)))
        storage = Storage("0", np.ones(4, "<f4"))
        self.refused(make.zip_file({"w": rebuild(storage, 0, bomb, (1, 1))}, [storage]))
        self.refused(make.legacy_file({"w": rebuild(storage, 0, (4,), (1,))}, [storage], keys=[bomb]), "list of storages")
        state = rebuild(storage, 0, (4,), (1,))
        found = load(make.zip_file(Raw(b"}" + bytes(bomb) + make.encode(state) + b"s"), [storage]))  # no name for a tensor
        self.assertEqual(found, {})
        many = b"}" + b"\x8a\x09" + (2**61 - 1).to_bytes(9, "little") + make.encode(state) + b"s"  # its multiples share its hash
        self.assertEqual(load(make.zip_file(Raw(many), [storage])), {})
        self.refused(make.zip_file(Raw(bytes(bomb) + bytes(bomb) + b"\x93"), []))


class Damaged(Refusals):
    def test_zip_tricks(self):
        state, storages = make.tensors({"w": np.zeros(1 << 20, "<f4")})
        self.refused(make.zip_file(state, storages, compression=zipfile.ZIP_DEFLATED), "compressed")
        self.refused(make.zip_file(state, storages, folder="a/b"), "no data.pkl")
        self.refused(make.zip_file(state, storages, folder="../.."), "no data.pkl")
        self.refused(make.zip_file(state, []), "has none")
        evil = [Storage("../../../etc/passwd", storages[0].array)]
        found = load(make.zip_file({"w": rebuild(evil[0], 0, (1,), (1,))}, evil))  # a name in the archive, never a path
        self.assertEqual(found["w"].shape, (1,))

    def test_zip_entries_that_overlap(self):
        # Two directory entries for one stretch of data: together they claim more bytes than the file has.
        state, storages = make.tensors({"w": np.zeros(1 << 12, "<f4")})
        buffer = io.BytesIO(make.zip_file(state, storages))
        with zipfile.ZipFile(buffer, "a") as archive:
            info = archive.getinfo("archive/data/0")
            for number in range(1, 4):
                copy = zipfile.ZipInfo(f"archive/data/{number}")
                copy.CRC, copy.file_size, copy.compress_size = info.CRC, info.file_size, info.compress_size
                copy.header_offset, copy.external_attr = info.header_offset, info.external_attr
                archive.filelist.append(copy)
                archive.NameToInfo[copy.filename] = copy
            archive._didModify = True
        self.refused(buffer.getvalue(), "more bytes than it has")

    def test_truncated_anywhere(self):
        for form, write in FORMS.items():
            data = write(*make.tensors({"w": np.arange(20, dtype="<f4"), "b": np.ones(3, "<f4")}))
            for length in range(len(data)):
                with self.subTest(form=form, length=length), self.assertRaises(PickleRefused):
                    load(data[:length])

    def test_not_torch_at_all(self):
        self.refused(b"", "empty")
        self.refused(b"hello, world\n")
        self.refused(make.pickled({"a": 1}), "torch.save did not write it")
        self.refused(make.pickled(make.MAGIC) + make.pickled(1002), "protocol")
        self.refused(make.legacy_file({}, [], system={"little_endian": False}), "big-endian")
        self.refused(make.legacy_file(*make.tensors(ARRAYS)) + b"x", "behind its last tensor")
        self.refused(make.legacy_file(*make.tensors(ARRAYS), keys=["0"]), "does not match")
        self.assertEqual(load(make.zip_file([1, 2], [])), {})

    def test_mutations_give_tensors_or_one_line(self):
        rng = random.Random(7)
        for form, write in FORMS.items():
            data = write(*make.tensors({"w": np.arange(20, dtype="<f4").reshape(4, 5), "b": np.ones(3, "<f4")}))
            refusals = 0
            for _ in range(1500):
                copy = bytearray(data)
                for _ in range(rng.choice((1, 1, 2, 8))):
                    copy[rng.randrange(len(copy))] = rng.randrange(256)
                try:
                    load(bytes(copy))
                except ToolError:
                    refusals += 1
            self.assertGreater(refusals, 250, form)

    def test_missing_file(self):
        with self.assertRaisesRegex(ToolError, "cannot read .*no such file"):
            load_state_dict("/nonexistent/vgg19.pth")

    def test_machine_keeps_marks_apart(self):
        with self.assertRaises(PickleRefused):
            Machine().run(io.BytesIO(b"\x80\x02N(0."))
        with self.assertRaises(PickleRefused):
            Machine().run(io.BytesIO(b"\x80\x02t."))
        self.assertEqual(Machine().run(io.BytesIO(b"\x80\x02" + b"K\x05" + b".")), 5)
        self.assertEqual(struct.unpack("<q", struct.pack("<q", Machine().run(io.BytesIO(b"\x80\x02\x8a\x01\xff."))))[0], -1)


if __name__ == "__main__":
    unittest.main()
