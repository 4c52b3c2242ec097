# SPDX-License-Identifier: MIT
"""The figures as text."""

from .nst import AGREEMENT, MODES
from .work import HEADER, Work, parts


def machine_lines(machine):
    yield f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gbytes']} GB, {machine['isa']}"
    if machine["load_before"] > 0.5:
        yield f"NOTE: other programs are running here, or have just been (load {machine['load_before']}): these times are not to be trusted"
    yield (f"limits, {machine['threads']} threads: {machine['fma_gflops']:.1f} GFLOP/s of f32 multiply-adds, "
           f"copy {machine['copy_gbytes']:.2f} GB/s, triad {machine['triad_gbytes']:.2f} GB/s")


def spread(figure, factor=1.0, digits=4):
    return f"{figure['median'] * factor:.{digits}f} [{figure['least'] * factor:.{digits}f} … {figure['most'] * factor:.{digits}f}]"


def size_lines(result, machine):
    """The table of one size, and what it amounts to."""
    work = Work(**result["work"])
    size, sides = result["size"], result["sides"]
    ours = sides["ours"]["iteration"]["median"]
    yield f"{size}x{size}: median [least … most] of {sides['ours']['runs']} runs; losses of {result['iterations']} iterations"
    yield f"an iteration: {work.flops * 1e-9:.1f} GFLOP of convolutions by definition, {work.bytes * 1e-9:.2f} GB through all ops"
    yield f"{'':28}{'s/iteration':30}{'/ ours':>7}{HEADER}   {'start to 1st, s':26}{'peak, MB':26}losses apart"
    for name, side in sides.items():
        label = name if name == "ours" else f"PyTorch {name}"
        distance = f"{result['loss_distance'][name]:.2e}" if name in result["loss_distance"] else ""
        yield (f"{label:28}{spread(side['iteration']):30}{side['iteration']['median'] / ours:7.2f}"
               f"{parts(work, side['iteration']['median'], machine)}   {spread(side['start_to_first'], 1, 2):26}"
               f"{spread(side['peak_bytes'], 1e-6, 0):26}{distance}").rstrip()
    for precision, against in result["against_best"].items():
        speed, start, memory = (against[measure] for measure in ("iteration", "start_to_first", "peak_bytes"))
        yield (f"against PyTorch's best {precision}: an iteration {times(speed)}; the start to the first iteration {times(start)}; "
               f"{peak_memory(sides, memory)}")
    yield from cuda_wheel_lines(sides)
    for name in result["disagreeing"]:
        yield f"FAIL: the losses of {name} and ours are {result['loss_distance'][name]:.3%} apart; {AGREEMENT:.0%} is allowed"


def peak_memory(sides, against):
    """Ours as a part of the best mode's, and what it is without the CUDA libraries that PyTorch's CUDA wheel loads."""
    name, ours = against["mode"], sides["ours"]["peak_bytes"]["median"]
    theirs, cuda = (sides[name][measure]["median"] for measure in ("peak_bytes", "cuda_library_bytes"))
    without = f", {cuda * 1e-6:.0f} MB of which are CUDA libraries ({ours / (theirs - cuda):.2f} without them)" if cuda else ""
    return f"peak memory {ours / theirs:.2f} of {name}'s{without}"


def cuda_wheel_lines(sides):
    """Of a PyTorch that was built for GPUs: its start takes longer for that too."""
    if any(side["cuda_library_bytes"]["median"] for side in sides.values()):
        yield ("NOTE: this PyTorch loads CUDA libraries at its start, which counts in its start and its peak; "
               "--torch-python names another, the CPU-only build for example")


def times(ratio):
    factor = ratio["ratio"]
    return f"{factor:.2f} times faster than {ratio['mode']}" if factor >= 1 else f"{1 / factor:.2f} times slower than {ratio['mode']}"


def profile_lines(profile, machine):
    """The shares of an iteration, and the convolutions."""
    def part(seconds, flops, moved):
        return f"{flops / seconds / 1e9 if seconds else 0:9.1f} GFLOP/s{parts(Work(flops, moved), seconds, machine)}"

    total = sum(one["seconds"] for one in profile["ops"])
    yield f"our iteration by op ({profile['iterations']} iterations of {total * 1e3:.2f} ms)"
    yield f"{'':72}{HEADER}"
    for one in profile["ops"]:
        if one["share"] < 0.0005:
            continue
        rate = part(one["seconds"], one["flops"], one["bytes"]) if one["bytes"] else ""
        yield f"{one['share']:8.2%} {one['seconds'] * 1e3:10.3f} ms {one['calls']:5.4g} x  {one['op']:26}{rate}".rstrip()
    yield f"{'convolution, one call (direct FLOPs)':42}{f'forward{HEADER}':>48}{f'backward{HEADER}':>50}"
    for one in profile["convolutions"]:
        cells = ["-" if cell is None else f"{cell[0] * 1e3:9.3f} ms {part(*cell)}" for cell in (one["forward"], one["backward"])]
        yield f"{one['calls']:4.4g} x  {one['layer']:34}{cells[0]:>49}{cells[1]:>50}"


def scaling_lines(points, machine):
    yield "ours alone, by size: cost and memory should grow as the pixels do"
    yield (f"{'':12}{'s/iteration':30}{'µs/pixel':>9}{HEADER}  {'peak, MB':>9}{'bytes/pixel':>13}"
           f"{'of each pixel more than at the size before':>46}")
    before = None
    for point in points:
        pixels = point["size"] ** 2
        seconds, peak = point["iteration"]["median"], point["peak_bytes"]["median"]
        more = ""
        if before:
            added = pixels - before["size"] ** 2
            more = (f"{(seconds - before['iteration']['median']) / added * 1e6:9.3f} µs, "
                    f"{(peak - before['peak_bytes']['median']) / added:7.0f} bytes")
        yield (f"{point['size']:5}x{point['size']:<6}{spread(point['iteration']):30}{seconds / pixels * 1e6:9.3f}"
               f"{parts(Work(**point['work']), seconds, machine)}  "
               f"{peak / 1e6:9.0f}{peak / pixels:13.0f}"
               f"{more:>46}").rstrip()
        before = point


def header_lines(versions, modes):
    yield (f"lily {versions['lily']} against PyTorch {versions['torch']}, {versions['threads']} threads each; "
           f"content {versions['content']}, style {versions['style']}")
    yield f"PyTorch's modes: {', '.join(f'{name} ({MODES[name].precision})' for name in modes)}"
