# SPDX-License-Identifier: MIT
"""What benchmarks/vs_pytorch.py consists of."""
