#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# From a bare machine to a restyled photograph: installs what is missing, builds, fetches the VGG-19 weights and a
# photograph, and paints it in the style of the project's own lily pond. A second run does only what is left to do.
#   bash tools/demo.sh                                   the demo
#   bash tools/demo.sh --content me.jpg --iterations 500  the same with other options of style_transfer
#   bash tools/demo.sh --force                           paint again although nothing has changed
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

force=false
options=()
for option in "$@"; do
    case $option in
        -h | --help) sed -n 's/^# \{0,1\}//; 3,7p' "${BASH_SOURCE[0]}"; exit ;;
        --force) force=true ;;
        *) options+=("$option") ;;
    esac
done

# Options of style_transfer: value <--option> is what it was given, a line per value; given <--option>, whether it was.
value() {
    local option here=false
    for option in "${options[@]}"; do
        case $option in
            "$1") here=true ;;
            "$1="*) echo "${option#*=}" ;;
            --*) here=false ;;
            *) if $here; then echo "$option"; fi ;;
        esac
    done
}
given() { [[ -n $(value "$1") ]]; }

step() { echo "== $*"; }
quietly() {  # quietly <log> <command...>: the log's end only when the command fails
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "demo: '$*' failed; all of its output is in $log" >&2
        exit 1
    fi
}

step "Set-up: what this machine lacks (tools/setup.sh)"
bash "$repo/tools/setup.sh"
python=$repo/build/venv/bin/python

step "Build: build/release/bin/style_transfer (minutes, the first time)"
in_repo() { (cd "$repo" && "$@"); }
if [[ ! -e $repo/build/release/build.ninja ]]; then in_repo quietly build/logs/demo_configure.log cmake --preset release; fi
build=(cmake --build build/release --target style_transfer)
if [[ -t 1 ]]; then in_repo "${build[@]}"; else in_repo quietly build/logs/demo_build.log "${build[@]}"; fi

step "Weights: weights/vgg19.safetensors"
weights=$repo/weights/vgg19.safetensors
if given --weights; then
    echo "as given: $(value --weights)"
elif [[ -e $weights ]]; then
    echo "there already"
else
    "$python" "$repo/tools/convert_vgg19.py"
fi

step "Pictures"
content=$repo/build/data/pictures/chelsea.png
if given --content; then
    echo "as given: $(value --content)"
elif [[ -e $content ]]; then
    echo "there already: build/data/pictures"
else
    "$python" "$repo/tools/fetch_data.py" pictures
fi

# What the caller does not say. 384 pixels and 300 iterations are two minutes' work for two cores.
default() { given "$1" || options+=("$1" "$2"); }
out=$repo/out
mkdir -p "$out"
default --content "$content"
default --style "$repo/docs/images/lily_pond.jpg"
default --output "$out/demo.png"
default --sheet "$out/demo_sheet.png"
default --plot "$out/demo_loss.svg"
default --log "$out/demo_loss.csv"
default --weights "$weights"
default --size 384
default --iterations 300

step "Paint"
program=$repo/build/release/bin/style_transfer
mapfile -t inputs < <(value --weights; value --content; value --style)
made_from=$(printf '%s\n' "${options[@]}"; stat -c '%n %s %Y' "$program" "${inputs[@]}" 2>&1 || true)
stamp=$(value --output).stamp
mapfile -t outputs < <(value --output; value --sheet; value --plot; value --log)
all_there() { local file; for file in "$@"; do [[ -e $file ]] || return 1; done; }
if [[ $force == false && $(cat "$stamp" 2>/dev/null) == "$made_from" ]] && all_there "${outputs[@]}"; then
    echo "nothing has changed since $(value --output) was painted; --force paints it again"
else
    rm -f "$stamp"
    "$program" "${options[@]}"
    echo "$made_from" >"$stamp"
fi

step "Look at"
printf '%-11s%s\n' picture "$(value --output)" sheet "$(value --sheet)" "loss plot" "$(value --plot)" log "$(value --log)"
