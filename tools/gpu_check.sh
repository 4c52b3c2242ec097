#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# For the day a GPU is there: builds the CUDA device, runs every op and the suites of kernels, framework and models on it,
# compares style transfer with the CPU's, runs compute-sanitizer's four tools over a part of the ops where it is installed,
# takes times, and writes it all into one report.
#   bash tools/gpu_check.sh                       on the GPU; the report is build/gpu_report.md
#   bash tools/gpu_check.sh --output report.md    somewhere else
#   bash tools/gpu_check.sh --device simt         a rehearsal on the software GPU, with build/release
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "gpu_check: $*" >&2; exit 1; }

device=cuda output=build/gpu_report.md
while (($#)); do
    case $1 in
        -h | --help) sed -n 's/^# \{0,1\}//; 3,8p' "${BASH_SOURCE[0]}"; exit ;;
        --device | --output) (($# > 1)) || die "$1 needs a value"; printf -v "${1#--}" %s "$2"; shift ;;
        --device=* | --output=*) printf -v "$(sed 's/^--//; s/=.*//' <<<"$1")" %s "${1#*=}" ;;
        *) die "unknown option $1 (there are --device, --output and --help)" ;;
    esac
    shift
done
case $device in
    cuda)
        preset=cuda
        compgen -G "/dev/nvidia[0-9]*" >/dev/null || [[ -e /dev/dxg ]] ||
            die "there is no NVIDIA GPU here; --device simt rehearses on the software GPU"
        [[ -n ${CUDACXX:-} ]] || command -v nvcc >/dev/null || [[ -x /usr/local/cuda/bin/nvcc ]] || die "nvcc not found: install a CUDA toolkit of version 12.4 or later" ;;
    simt) preset=release ;;
    *) die "expected --device cuda or simt, got '$device'" ;;
esac
[[ -d $(dirname "$output") || $(dirname "$output") == build ]] || die "$(dirname "$output") is no folder"

mkdir -p build/logs
logs=$(mktemp -d build/logs/gpu_check.XXXXXX)
report=$logs/report.md
bin=build/$preset/bin
failed=0 passed=0
trap 'rm -f "$output.tmp"' EXIT

# step <name> <lines of the log for the report> <command...>
step() {
    local name=$1 lines=$2 log start=$SECONDS verdict=passed
    shift 2
    log=$logs/$(tr ' /' '__' <<<"$name").log
    if "$@" >"$log" 2>&1; then passed=$((passed + 1)); else verdict=FAILED failed=$((failed + 1)); lines=40; fi
    printf '%-34s %s, %d s\n' "$name" "$verdict" $((SECONDS - start))
    # shellcheck disable=SC2016
    printf '\n## %s: %s, %d s\n\n`%s`\n\n```\n%s\n```\n' "$name" "$verdict" $((SECONDS - start)) "$*" \
        "$(tail -n "$lines" "$log")" >>"$report"
    [[ $verdict == passed ]]
}
skip() { printf '%-34s skipped: %s\n' "$1" "$2"; printf '\n## %s: skipped\n\n%s\n' "$1" "$2" >>"$report"; }

finish() {
    printf '\n%d steps passed, %d failed.\n' $passed $failed >>"$report"
    cp "$report" "$output.tmp"
    mv "$output.tmp" "$output"
    echo "$passed steps passed, $failed failed; the report is $output, the logs are in $logs"
    exit $((failed > 0))
}

{
    echo "# lily on ${device}"
    echo
    echo "$(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)$(git diff --quiet HEAD 2>/dev/null || echo ', with changes')"
} >"$report"

build() { cmake --preset "$preset" -D LILY_TESTS=ON -D LILY_BENCHMARKS=ON && cmake --build "build/$preset"; }
step "build $preset" 3 build || finish
step "lily_info" 20 "$bin/lily_info" --require "$device" || finish

# Everything on the device, against f64 loops and the CPU.
step "every op" 80 "$bin/lily_op_tests" --device "$device" || true
suites() { ctest --test-dir "build/$preset" --output-on-failure -R '^(kernels|framework|models|cuda_.*)$'; }
step "the suites" 15 suites || true

# Style transfer there and on the CPU: the same losses.
size=256 iterations=20
if [[ $device == simt ]]; then size=48 iterations=3; fi
paint() {  # paint <device> <size> <iterations> <option...>
    local where=$1 side=$2 count=$3
    shift 3
    "$bin/style_transfer" --content docs/images/lily_pond.jpg --style docs/images/lily_pond.jpg --init noise --size "$side" \
        --iterations "$count" --device "$where" --output "$logs/$where.png" "$@"
}
compare() {
    LILY_CONV=direct paint cpu $size $iterations --log "$logs/cpu.csv" &&
        paint "$device" $size $iterations --log "$logs/$device.csv" &&
        awk -F, -v most=1e-3 'FNR == 1 {next} NR == FNR {want[$1] = $6; next}
            {d = ($6 - want[$1]) / want[$1]; if (d < 0) d = -d; if (!(d <= worst)) worst = d; ++n}
            END {print n " iterations, total loss differs by at most " worst; exit !(n > 0 && worst <= most)}' \
            "$logs/cpu.csv" "$logs/$device.csv"
}
if [[ -e weights/vgg19.safetensors ]]; then
    step "style transfer against the CPU" 1 compare || true
else
    skip "style transfer against the CPU" "there are no weights: tools/convert_vgg19.py"
fi

# Faults that give the right numbers most of the time.
if [[ $device == simt ]]; then
    step "xray: all checks" 3 env LILY_SIMT_XRAY=full "$bin/lily_op_tests" --device simt --filter 33 || true
elif sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null); then
    for tool in memcheck racecheck initcheck synccheck; do
        step "compute-sanitizer $tool" 5 env LILY_GPU_CACHE=off "$sanitizer" --tool $tool --error-exitcode 1 \
            "$bin/lily_op_tests" --device cuda --filter 33 || true
    done
else
    skip "compute-sanitizer" "it is not installed"
fi

# Times.
if [[ -e weights/vgg19.safetensors ]]; then
    sides="256 512"
    if [[ $device == simt ]]; then sides=32; fi
    for side in $sides; do
        count=$([[ $device == simt ]] && echo 3 || echo 60)
        step "style transfer, profile at $side" 40 paint "$device" "$side" "$count" --profile "$logs/profile_$side.csv" || true
    done
fi
if [[ $device == cuda ]]; then
    for benchmark in "$bin"/*; do
        if "$benchmark" --benchmark_list_tests 2>/dev/null | grep -qi cuda; then
            step "benchmark $(basename "$benchmark")" 200 "$benchmark" --benchmark_filter='[cC][uU][dD][aA]' || true
        fi
    done
fi
finish
