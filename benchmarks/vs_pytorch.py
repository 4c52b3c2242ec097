#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures this project's programs against PyTorch (and JAX and TensorFlow) on the same task, machine, inputs and threads."""

import argparse
import json
import math
import os
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "tools")]

try:
    from compare import gan, gan_quality, machine, neighbours, nst, pictures, report, rivals, scaling, stylegan
except ModuleNotFoundError as error:
    python = ROOT / "build" / "venv" / "bin" / "python"
    if error.name != "PIL" or not python.exists() or os.environ.get("LILY_VENV"):
        sys.exit(f"vs_pytorch: error: {error}; run bash tools/setup.sh, then this with build/venv/bin/python")
    os.execve(python, [str(python), *sys.argv], {**os.environ, "LILY_VENV": "1"})
from toolkit import ToolError, check_writable, run_tool, whole_number, write_whole  # noqa: E402

EXAMPLES = """\
examples:
  benchmarks/vs_pytorch.py nst --sizes 256 512 --json build/nst.json
  benchmarks/vs_pytorch.py nst --sizes 256 --isa avx2              both sides without AVX-512
  benchmarks/vs_pytorch.py nst --scaling --plot build/scaling.svg  ours alone, 128 to 1024 pixels
  benchmarks/vs_pytorch.py gan --repeats 5                         a training step of the plain MNIST GAN
  benchmarks/vs_pytorch.py stylegan --modes eager compile          a step with R1, and 64 pictures
  benchmarks/vs_pytorch.py neighbours --against OLD/bin            both, alone and beside one and two busy programs
  benchmarks/vs_pytorch.py gan --quality --data build/data/mnist   how good the samples of both are
"""


number = whole_number(1, 16384)
picture_side = whole_number(16, 16384)  # five poolings: the smallest that reaches relu5_1


def add_rival(add, name):
    rival = rivals.RIVALS[name]
    add(rival.option, metavar="PYTHON", help=f"a Python that has {name} (default: build/{rival.venv.name}, made when needed)")


def add_pictures(add):
    add("--content", type=Path, metavar="FILE", help="picture to restyle (default: a photograph that tools/fetch_data.py fetches)")
    add("--style", type=Path, default=pictures.STYLE, metavar="FILE", help="whose style to use (default: docs/images/lily_pond.jpg)")
    add("--weights", type=Path, default=nst.WEIGHTS, metavar="FILE", help="VGG-19 (default: weights/vgg19.safetensors)")


def add_common(add):
    add("--repeats", type=number, default=3, metavar="N", help="rounds of all sides, in turns (default: 3)")
    add("--threads", type=number, default=machine.cores(), metavar="N", help="of both sides (default: all cores)")
    add("--isa", choices=machine.NARROWER, help="narrower vectors than the machine has, for both sides")
    add("--bin", type=Path, default=Path(os.environ.get("LILY_BIN", ROOT / "build" / "release" / "bin")), metavar="DIR",
        help="where our programs are (default: build/release/bin)")
    add_rival(add, "PyTorch")
    add("--json", type=Path, metavar="FILE", help="everything that was measured")


def arguments_of(words):
    plain = {"epilog": EXAMPLES, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(prog="vs_pytorch.py", description=__doc__, **plain)
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    task = tasks.add_parser("gan", help="a GAN's training step, against PyTorch, JAX and TensorFlow on the CPU", **plain)
    task.add_argument("--modes", nargs="+", choices=gan.MODES, default=list(gan.MODES), metavar="MODE",
                      help=f"of the others, of {', '.join(gan.MODES)} (default: all)")
    task.add_argument("--iterations", type=number, default=500, metavar="N", help="of each run (default: 500)")
    add_common(task.add_argument)
    for name in ("JAX", "TensorFlow"):
        add_rival(task.add_argument, name)
    task.add_argument("--quality", action="store_true", help="train both on --data, and judge their samples, instead of timing a step")
    task.add_argument("--data", type=Path, metavar="DIR", help="with --quality: MNIST's files")
    task.add_argument("--epochs", type=number, default=50, metavar="N", help="with --quality (default: 50)")
    task.add_argument("--seeds", type=whole_number(0), nargs="+", default=[0, 1, 2], metavar="N", help="with --quality (default: 0 1 2)")
    task.add_argument("--count", type=number, default=10000, metavar="N", help="with --quality: samples to judge (default: 10000)")
    task = tasks.add_parser("stylegan", help="StyleGAN's training step with R1, and 64 pictures, against PyTorch and TensorFlow on the CPU", **plain)
    task.add_argument("--modes", nargs="+", choices=stylegan.MODES, default=list(stylegan.MODES), metavar="MODE",
                      help=f"of the others, of {', '.join(stylegan.MODES)} (default: all)")
    task.add_argument("--works", nargs="+", choices=stylegan.WORKS, default=list(stylegan.WORKS), metavar="WORK",
                      help=f"of {', '.join(stylegan.WORKS)} (default: all)")
    task.add_argument("--iterations", type=number, default=20, metavar="N", help="of each run (default: 20)")
    add_common(task.add_argument)
    add_rival(task.add_argument, "TensorFlow")
    task = tasks.add_parser("nst", help="neural style transfer on VGG-19, against PyTorch on the CPU", **plain)
    add = task.add_argument
    add("--sizes", type=picture_side, nargs="+", metavar="N",
        help="sides of the square pictures (default: 256 512; with --scaling: 128 256 512 768 1024)")
    add("--modes", nargs="+", choices=nst.MODES, default=list(nst.MODES), metavar="MODE",
        help=f"of PyTorch, of {', '.join(nst.MODES)} (default: all)")
    add("--iterations", type=number, default=200, metavar="N", help="in the first round, whose losses are compared (default: 200)")
    add("--timing-iterations", type=number, default=30, metavar="N", help="in the other rounds, and with --scaling, at most (default: 30)")
    add_common(add)
    add_pictures(add)
    add("--scaling", action="store_true", help="ours alone: time and memory by size")
    add("--plot", type=Path, metavar="FILE", help="with --scaling: an SVG of both")
    task = tasks.add_parser("neighbours", help="both tasks, alone and beside programs that keep cores busy", **plain)
    add = task.add_argument
    add("--against", type=Path, metavar="DIR", help="an older build's programs, measured too")
    add("--busy", type=whole_number(0, 64), nargs="+", default=[0, 1, 2], metavar="N", help="numbers of busy programs (default: 0 1 2)")
    add("--size", type=picture_side, default=256, metavar="N", help="side of the square pictures (default: 256)")
    add("--nst-modes", nargs="*", choices=nst.MODES, default=["channels_last"], metavar="MODE", help="of PyTorch (default: channels_last)")
    add("--gan-modes", nargs="*", choices=[name for name in gan.MODES if gan.MODES[name][0] == "PyTorch"], default=["fused"],
        metavar="MODE", help="of PyTorch (default: fused)")
    add("--nst-iterations", type=number, default=12, metavar="N", help="of each style transfer (default: 12)")
    add("--gan-iterations", type=number, default=300, metavar="N", help="of each GAN (default: 300)")
    add_pictures(add)
    add_common(add)
    arguments = parser.parse_args(words)
    if arguments.task in ("neighbours", "stylegan"):
        return arguments
    if arguments.task == "gan":
        if arguments.quality and not arguments.data:
            tasks.choices["gan"].error("--quality needs --data")
        if arguments.quality and arguments.isa:
            tasks.choices["gan"].error("--isa is of the times, --quality trains with all that the machine has")
        return arguments
    if arguments.plot and not arguments.scaling:
        task.error("--plot goes with --scaling")
    arguments.sizes = sorted(set(arguments.sizes or (scaling.SIZES if arguments.scaling else (256, 512))))
    return arguments


def check_programs(arguments, *programs):
    for program in programs:
        if not os.access(arguments.bin / program, os.X_OK):
            raise ToolError(f"{arguments.bin / program} is not there; "
                            "build it: cmake --preset release && cmake --build build/release")


def check_there(arguments):
    check_programs(arguments, "style_transfer", "machine")
    if getattr(arguments, "plot", None) and not shutil.which("gnuplot"):
        raise ToolError("plots need gnuplot: apt-get install gnuplot-nox")
    if not arguments.weights.exists():
        raise ToolError(f"{arguments.weights} is not there; make it: build/venv/bin/python tools/convert_vgg19.py")


def finite(value):
    """The same with null for infinities and NaN, which JSON has not."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def log(line):
    print(line, flush=True)


def show(lines):
    for line in lines:
        log(line)
    log("")


def run_nst(arguments):
    check_there(arguments)
    content = arguments.content or pictures.fetch_content()
    for path in (content, arguments.style):
        pictures.square(path, 16)  # an unreadable picture is told before anything is measured
    env = machine.NARROWER.get(arguments.isa, {})
    versions = {"lily": machine.revision(), "threads": arguments.threads, "content": content.name, "style": arguments.style.name}
    python = None
    if not arguments.scaling:
        python, versions["torch"] = rivals.find("PyTorch", arguments.torch_python, log)
    result = {"date": datetime.now(timezone.utc).isoformat(timespec="seconds"), "command": sys.argv[1:], "versions": versions,
              "machine": machine.describe(arguments.bin, arguments.threads, env)}
    show(report.machine_lines(result["machine"]))
    programs = nst.Programs(arguments.bin, python, arguments.weights, arguments.threads, env)
    status = 0
    if arguments.scaling:
        points = scaling.measure(programs, arguments.sizes, (content, arguments.style), arguments.timing_iterations, arguments.repeats, log)
        result["scaling"] = points
        show(report.scaling_lines(points, result["machine"]))
        if arguments.plot:
            scaling.plot(arguments.plot, points, f"style_transfer, {result['machine']['cpu']}, {arguments.threads} threads")
    else:
        show(report.header_lines(versions, arguments.modes))
        result["sizes"] = []
        for size in arguments.sizes:
            one = nst.compare(programs, size, arguments.modes, (content, arguments.style), arguments.iterations,
                              arguments.timing_iterations, arguments.repeats, log)
            result["sizes"].append(one)
            show(report.size_lines(one, result["machine"]))
            show(report.profile_lines(one["profile"], result["machine"]))
        apart = [f"{one['size']}x{one['size']} {name}" for one in result["sizes"] for name in one["disagreeing"]]
        if apart:
            print(f"vs_pytorch: error: the losses do not agree within {nst.AGREEMENT:.0%}: {', '.join(apart)}", file=sys.stderr)
            status = 1
    save(arguments, result)
    return status


def run_gan_quality(arguments):
    check_programs(arguments, "mnist_gan")
    python, torch = rivals.find("PyTorch", arguments.torch_python, log)
    programs = gan_quality.Programs(arguments.bin, python, arguments.threads, arguments.data, arguments.epochs, arguments.count)
    log(f"lily {machine.revision()} and PyTorch {torch}, {arguments.epochs} epochs, {arguments.count} samples")
    result = {"date": datetime.now(timezone.utc).isoformat(timespec="seconds"), "command": sys.argv[1:], "torch": torch,
              "quality": gan_quality.compare(programs, arguments.seeds, log)}
    show(gan_quality.lines(result["quality"]))
    save(arguments, result)
    return 0


def run_gan(arguments):
    if arguments.quality:
        return run_gan_quality(arguments)
    check_programs(arguments, "gan", "machine")
    env = machine.NARROWER.get(arguments.isa, {})
    pythons, found = rivals.find_all(gan.rivals_of(arguments.modes), arguments, log)
    versions = {"lily": machine.revision(), "threads": arguments.threads, **found}
    result = {"date": datetime.now(timezone.utc).isoformat(timespec="seconds"), "command": sys.argv[1:], "versions": versions,
              "machine": machine.describe(arguments.bin, arguments.threads, env)}
    show(report.machine_lines(result["machine"]))
    others = ", ".join(f"{name} {version}" for name, version in found.items())
    log(f"lily {versions['lily']} against {others}, {arguments.threads} threads each")
    result |= gan.compare(gan.Programs(arguments.bin, pythons, arguments.threads, env), arguments.modes, arguments.iterations,
                          arguments.repeats, log)
    show(gan.lines(result))
    save(arguments, result)
    if result["disagreeing"]:
        print(f"vs_pytorch: error: the losses do not agree within {gan.AGREEMENT:.0%}: "
              f"{', '.join(map(gan.label, result['disagreeing']))}", file=sys.stderr)
        return 1
    return 0


def run_stylegan(arguments):
    check_programs(arguments, "stylegan_step", "machine")
    env = machine.NARROWER.get(arguments.isa, {})
    pythons, found = rivals.find_all(stylegan.rivals_of(arguments.modes), arguments, log)
    versions = {"lily": machine.revision(), "threads": arguments.threads, **found}
    result = {"date": datetime.now(timezone.utc).isoformat(timespec="seconds"), "command": sys.argv[1:], "versions": versions,
              "machine": machine.describe(arguments.bin, arguments.threads, env), "works": []}
    show(report.machine_lines(result["machine"]))
    others = ", ".join(f"{name} {version}" for name, version in found.items())
    log(f"lily {versions['lily']} against {others}, {arguments.threads} threads each")
    programs = stylegan.Programs(arguments.bin, pythons, arguments.threads, env)
    for what in arguments.works:
        one = stylegan.compare(programs, what, arguments.modes, arguments.iterations, arguments.repeats, log)
        result["works"].append(one)
        show(stylegan.lines(one, result["machine"]))
    save(arguments, result)
    apart = [f"{one['work']} {stylegan.label(name)}" for one in result["works"] for name in one["disagreeing"]]
    if apart:
        print(f"vs_pytorch: error: the totals do not agree: {', '.join(apart)}", file=sys.stderr)
        return 1
    return 0


def run_neighbours(arguments):
    check_there(arguments)
    check_programs(arguments, "gan")
    python, torch = rivals.find("PyTorch", arguments.torch_python, log) if arguments.nst_modes or arguments.gan_modes else (None, None)
    env = machine.NARROWER.get(arguments.isa, {})
    result = {"date": datetime.now(timezone.utc).isoformat(timespec="seconds"), "command": sys.argv[1:],
              "versions": {"lily": machine.revision(), "threads": arguments.threads, "PyTorch": torch},
              "machine": machine.describe(arguments.bin, arguments.threads, env)}
    show(report.machine_lines(result["machine"]))
    folders = {"ours": arguments.bin, **({str(arguments.against): arguments.against} if arguments.against else {})}
    result["neighbours"] = neighbours.compare(neighbours.Options(
        folders=folders, python=python, weights=arguments.weights, threads=arguments.threads, env=env, size=arguments.size,
        pair=(arguments.content or pictures.fetch_content(), arguments.style), nst_modes=arguments.nst_modes, gan_modes=arguments.gan_modes,
        iterations=(arguments.nst_iterations, arguments.gan_iterations), counts=arguments.busy, repeats=arguments.repeats), log)
    show(neighbours.lines(result["neighbours"], result["machine"]))
    save(arguments, result)
    return 0


def save(arguments, result):
    if arguments.json:
        write_whole(arguments.json, [json.dumps(finite(result), indent=1, ensure_ascii=False, allow_nan=False).encode(), b"\n"])


def main():
    arguments = arguments_of(sys.argv[1:])
    for path in (arguments.json, getattr(arguments, "plot", None)):
        if path:
            check_writable(path)
    return {"nst": run_nst, "gan": run_gan, "stylegan": run_stylegan, "neighbours": run_neighbours}[arguments.task](arguments)


if __name__ == "__main__":
    sys.exit(run_tool("vs_pytorch", main))
