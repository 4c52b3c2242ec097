# SPDX-License-Identifier: MIT
"""For the programs beside this file: what they hold of memory."""

import re

MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")  # the first line of a mapping in smaps; its path ends the line
CUDA_LIBRARY = re.compile(r"/nvidia/.*\.so|/lib(torch_cuda|torch_nvshmem|c10_cuda|caffe2_nvrtc|cu(da|blas|dnn|fft|file|pti|rand|solver|sparse)|"
                          r"nccl|nvrtc|nvJitLink|nvshmem|nvToolsExt)[^/]*\.so")


def peak_bytes():
    """The largest resident set of this process so far, without those of compilers that it has started."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def cuda_library_bytes(smaps="/proc/self/smaps"):
    """Resident bytes of the CUDA libraries' files, which PyTorch's CUDA wheel loads on a machine without a GPU too."""
    total, counts = 0, False
    with open(smaps, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if MAPPING.match(line):
                counts = CUDA_LIBRARY.search(line) is not None
            elif counts and line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
    return total


def memory_figures():
    return {"peak_bytes": peak_bytes(), "cuda_library_bytes": cuda_library_bytes()}
