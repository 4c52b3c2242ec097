# SPDX-License-Identifier: MIT
"""For the programs beside this file."""


def peak_bytes():
    """The largest resident set of this process so far, without those of compilers that it has started."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
