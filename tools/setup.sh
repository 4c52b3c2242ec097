#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what lily needs and this machine lacks: distribution packages, then a small Python environment in build/venv.
#   bash tools/setup.sh             what building, running and a plain test need
#   bash tools/setup.sh --test      also the linters, clang and ccache (Debian 12 and 13 were tried)
#   bash tools/setup.sh --coverage  also the coverage reporter
# Says what it will install before it does. A second run finds nothing to do, in well under a second, offline.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "setup: $*" >&2; exit 1; }

# What we need, how to see that it is there (a command, or the package itself: "-"), and what for.
packages="
g++                  g++             the compiler
cmake                cmake           the build
ninja-build          ninja           the build
libdnnl-dev          -               oneDNN: convolution and matrix products
libjpeg-dev          -               reading JPEG (libjpeg-turbo)
libspng-dev          -               reading PNG
libstb-dev           -               reading BMP and TGA, writing and resizing pictures
libexif-dev          -               the orientation of photographs
zlib1g-dev           -               packed data sets
libgif-dev           -               animations
libimagequant-dev    -               their palettes of colours
liblcms2-dev         -               colour profiles of pictures
libicu-dev           -               the classes and the lower case of characters
libwebp-dev          -               reading WebP
libtiff-dev          -               reading TIFF
libfmt-dev           -               formatted output
nlohmann-json3-dev   -               JSON headers of weight files
libcli11-dev         -               command lines
libopenmpi-dev       -               trainings by several processes
openmpi-bin          mpirun          the same
libboost-context-dev -               the software GPU's threads
catch2               -               tests
libbenchmark-dev     -               benchmarks
gnuplot-nox          gnuplot         --plot draws the loss
python3              python3         converting weights, fetching pictures
python3-venv         -               the same
ca-certificates      -               downloads over https
git                  git             the sources"
distribution=$(. /etc/os-release 2>/dev/null && echo "${ID:-unknown} ${VERSION_ID:-0} ${ID_LIKE:-}") || distribution="unknown 0"
read -r id version like <<<"$distribution"
for_tests=no
for option in "$@"; do
    case $option in
        --test)
            for_tests=yes
            packages+="
ccache               ccache          compiling nothing twice
shellcheck           shellcheck      the lint of shell scripts"
            # One clang, for a second compiler's opinion, clang-tidy and libFuzzer: 14, or what the distribution has.
            clang=14
            if [[ $id == debian && ($version == 0 || ${version%%.*} -gt 12) ]]; then clang=19; fi  # 0: testing
            packages+="
clang-$clang             clang++-$clang      a second compiler, and libFuzzer
libclang-rt-$clang-dev   -               libFuzzer and the sanitizers for clang
libomp-$clang-dev        -               OpenMP for clang
clang-tidy-$clang        clang-tidy-$clang   the lint" ;;
        --coverage) packages+="
gcovr                gcovr           line and branch coverage" ;;
        *) die "unknown option $option (there are --test and --coverage)" ;;
    esac
done

# Packages whose command is not on the PATH, or that dpkg does not know as installed.
missing_packages() {
    local installed package command reason
    installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | awk '$1 == "installed" {print $2}' | xargs) "
    while read -r package command reason; do
        if [[ -z $package ]]; then continue; fi
        if [[ $command != - ]] && command -v "$command" >/dev/null; then continue; fi
        if [[ $installed == *" $package "* ]]; then continue; fi
        echo "$package" "$reason"
    done <<<"$packages"
}

install_packages() {
    local missing=$1 names as_root=()
    names=$(awk '{print $1}' <<<"$missing" | xargs)
    if [[ $(id -u) != 0 ]]; then
        command -v sudo >/dev/null || die "not root and no sudo here; have an administrator run: apt-get install $names"
        as_root=(sudo)
        if [[ ! -t 0 ]]; then
            sudo -n true 2>/dev/null || die "sudo needs a password and there is no terminal; run: sudo apt-get install $names"
        fi
    fi
    echo "setup: installing with apt${as_root:+, as root by sudo}:"
    awk '{name = $1; $1 = ""; printf "    %-20s%s\n", name, $0}' <<<"$missing"
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
    { "${apt[@]}" -o APT::Update::Error-Mode=any update || echo "setup: apt-get update failed"; } >"$log" 2>&1 || true
    # shellcheck disable=SC2086
    if ! "${apt[@]}" install --no-install-recommends $names >>"$log" 2>&1; then
        grep -q "setup: apt-get update failed" "$log" && die "apt cannot reach its mirrors: is there a network? ($log)"
        die "apt-get install failed: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log") ($log)"
    fi
}

# at_least <found> <needed> <what>
at_least() {
    [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]] || die "$3 is $1, and lily needs $2 or newer"
}

mkdir -p build/logs
log=build/logs/setup.log

if command -v apt-get >/dev/null && [[ " $id $like " == *" debian "* || " $id $like " == *" ubuntu "* ]]; then
    if [[ $id == debian && $version != 0 ]]; then at_least "$version" 12 Debian; fi
    if [[ $id == ubuntu ]]; then at_least "$version" 24.04 Ubuntu; fi
    missing=$(missing_packages)
    if [[ -n $missing ]]; then install_packages "$missing"; fi
elif [[ ! -e build/.setup-by-hand ]]; then
    touch build/.setup-by-hand
    die "$id is neither Debian nor Ubuntu: install their $(awk 'NF {print $1}' <<<"$packages" | xargs) by hand, then run this again"
fi

for command in "${CXX:-g++}" cmake ninja python3; do
    command -v "$command" >/dev/null || die "$command is not on the PATH; install it first"
done
at_least "$("${CXX:-g++}" -dumpfullversion -dumpversion)" 12 "the compiler ${CXX:-g++}"
at_least "$(cmake --version | awk 'NR == 1 {print $3}')" 3.25 cmake

# The Python environment, remade when its requirements or its Python change; what only tests need is added to it.
python=$([[ -x /usr/bin/python3 ]] && echo /usr/bin/python3 || command -v python3)
# install_requirements <file> <stamp>: unless build/venv has them already
install_requirements() {
    local stamp
    stamp="$(cksum <"$1") $(readlink -f "$python")"
    if [[ $(cat "$2" 2>/dev/null) == "$stamp" ]]; then return; fi
    echo "setup: installing into build/venv: $(sed -n 's/^\([A-Za-z][A-Za-z0-9_.-]*\)==\([^ ;\\]*\).*/\1 \2/p' "$1" | paste -sd, | sed 's/,/, /g')"
    if [[ $1 == tools/requirements.txt ]]; then
        rm -rf build/venv
        "$python" -m venv build/venv >>"$log" 2>&1 || die "python3 -m venv failed: apt install python3-venv ($log)"
    fi
    build/venv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --retries 1 \
        -r "$1" >>"$log" 2>&1 || die "pip could not install the packages: is there a network? ($log)"
    echo "$stamp" >"$2"
}
install_requirements tools/requirements.txt build/venv/stamp
if [[ $for_tests == yes ]]; then install_requirements tools/requirements_test.txt build/venv/stamp_test; fi
