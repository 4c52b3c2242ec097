# SPDX-License-Identifier: MIT
"""cmake/cuda.cmake without a build: which nvcc it takes, whose headers, and which architectures it refuses. The compilers are scripts."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class CudaCmakeTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def toolkit(self, name, version):
        """A folder with bin/nvcc, which says its version, and include/cublas_v2.h."""
        folder = self.folder / name
        (folder / "bin").mkdir(parents=True)
        (folder / "include").mkdir()
        (folder / "include/cublas_v2.h").write_text("")
        nvcc = folder / "bin/nvcc"
        nvcc.write_text(f"#!/bin/sh\necho 'Cuda compilation tools, release {version}, V{version}.1'\n")
        nvcc.chmod(0o755)
        return nvcc

    def cmake(self, commands, defines=(), **environment):
        """What the commands print after cuda.cmake was read, and what is said on stderr."""
        script = self.folder / "script.cmake"
        script.write_text(f"include({ROOT}/cmake/cuda.cmake)\n{commands}\n")
        clean = {name: value for name, value in os.environ.items() if name not in ("CUDACXX", "CUDA_PATH", "CUDNN_PATH", "CUDAARCHS")}
        result = subprocess.run(["cmake", "-DLILY_CUDA=OFF", *defines, "-P", script], capture_output=True, text=True, timeout=120,
                                cwd=self.folder, env={**clean, **environment})
        return result.stdout, " ".join(result.stderr.split())

    def chosen(self, *defines, **environment):
        out, error = self.cmake("lily_toolkit_folder(folder)\nmessage(STATUS ${lily_chosen_nvcc})\nmessage(STATUS ${folder})", defines,
                                **environment)
        self.assertEqual(error, "")
        return [Path(line[3:]) for line in out.splitlines()]

    def test_the_compiler_that_the_environment_names_is_taken(self):
        one, other = self.toolkit("one", "13.0"), self.toolkit("other", "12.9")
        path = f"{one.parent}:{os.environ['PATH']}"
        self.assertEqual(self.chosen(PATH=path), [one, one.parents[1]])
        self.assertEqual(self.chosen(CUDACXX=str(other), PATH=path), [other, other.parents[1]])
        self.assertEqual(self.chosen(CUDACXX=f"{other} --threads 2", PATH=path), [other, other.parents[1]])  # a command
        self.assertEqual(self.chosen(CUDACXX="nvcc", PATH=path), [one, one.parents[1]])
        self.assertEqual(self.chosen(CUDA_PATH=str(other.parents[1]), PATH=path), [other, other.parents[1]])
        self.assertEqual(self.chosen(f"-DCMAKE_CUDA_COMPILER={other}", CUDACXX=str(other), PATH=path), [other, other.parents[1]])
        self.assertEqual(self.chosen(f"-DCMAKE_CUDA_COMPILER={other}", PATH=path), [other, other.parents[1]])

    def test_a_build_folder_keeps_its_compiler_and_says_so(self):
        one, other = self.toolkit("one", "13.0"), self.toolkit("other", "12.9")
        out, error = self.cmake("message(STATUS ${lily_chosen_nvcc})", [f"-DCMAKE_CUDA_COMPILER={other}"], CUDACXX=str(one))
        self.assertEqual(out, f"-- {other}\n")
        self.assertIn(f"CUDACXX={one} is ignored, this build has {other}: cmake --fresh begins anew", error)

    def test_a_link_to_a_compiler_leads_to_its_toolkit(self):
        nvcc = self.toolkit("far", "13.0")
        (self.folder / "bin").mkdir()
        link = self.folder / "bin/nvcc"
        link.symlink_to(nvcc)
        self.assertEqual(self.chosen(CUDACXX=str(link)), [link, nvcc.parents[1]])

    def test_what_is_wrong_with_the_chosen_compiler_is_said_of_it(self):
        find = "set(LILY_CUDA ON)\nlily_find_nvcc(found)"
        old = self.toolkit("old", "11.8")
        for name, reason in ((str(old), f"{old} is of version 11.8"), ("/no/such/nvcc", "/no/such/nvcc --version does not say what it is")):
            _, error = self.cmake(find, CUDACXX=name)
            self.assertIn(f"LILY_CUDA=ON, but {reason}: install a CUDA toolkit of version 12.4 or later", error)

    def test_cudnn_is_that_of_the_chosen_toolkit_and_brings_no_other_header(self):
        nvcc = self.toolkit("own", "13.0")
        include = nvcc.parents[1] / "include"
        for name in ("cudnn.h", "cudnn_version.h", "cuda_runtime.h"):
            (include / name).write_text("")
        out, error = self.cmake("lily_find_cudnn()\nmessage(STATUS ${LILY_CUDNN_INCLUDE_DIR})\nmessage(STATUS ${lily_cudnn_headers})",
                                CUDACXX=str(nvcc))
        self.assertEqual(error, "")
        found, links = (Path(line[3:]) for line in out.splitlines())
        self.assertEqual(found, include)
        self.assertEqual(sorted(link.name for link in links.iterdir()), ["cudnn.h", "cudnn_version.h"])

    def test_architectures_that_the_kernels_do_not_compile_for_are_refused_in_one_line(self):
        need = "the kernels need 80 or later"
        for wrong, message in (("75", f"has 75, and {need}"), ("75-real", f"has 75-real, and {need}"), ("90\\;72-virtual", f"has 72-virtual, and {need}"),
                               ("all", "=all names architectures before 80"), ("all-major", "=all-major names architectures before 80"),
                               ("ampere", "has ampere, which is no architecture"), ("8.9", "has 8.9, which is no architecture")):
            out, error = self.cmake(f"set(list {wrong})\nlily_check_architectures(${{list}})\nmessage(STATUS went_on)")
            self.assertIn(f"CMAKE_CUDA_ARCHITECTURES{'' if message.startswith('=') else ' '}{message}", error)
            self.assertEqual(out, "")
        for right in ("80", "80-real 90-virtual", "89", "90a-real", "100f", "120", "native", ""):
            self.assertEqual(self.cmake(f"lily_check_architectures({right})\nmessage(STATUS went_on)"), ("-- went_on\n", ""))

    def test_ptx_of_the_lowest_architecture_is_built_and_of_the_highest(self):
        for version, least in (("12.4", 2), ("12.8", 4), ("13.0", 4)):
            out, _ = self.cmake(f"lily_default_architectures({version} list)\nlily_check_architectures(${{list}})\nmessage(STATUS \"${{list}}\")")
            architectures = out.removeprefix("-- ").strip().split(";")
            self.assertGreaterEqual(len(architectures), least)
            self.assertEqual(architectures, sorted(architectures, key=lambda a: int(a.split("-")[0])))
            self.assertEqual(architectures[0], "80")  # without -real: PTX too
            self.assertTrue(architectures[-1].isdigit())


if __name__ == "__main__":
    unittest.main()
