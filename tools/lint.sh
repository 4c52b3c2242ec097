#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The formatting, clang-tidy, and the rules of the house. One line per check: "ok ...", "FAIL ..." or "skip ...".
#   bash tools/lint.sh          check everything
#   bash tools/lint.sh --fix    reformat the sources first
#   bash tools/lint.sh --quick  all but clang-tidy
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=0
# check <what> <complaints>: no complaint is a pass.
check() {
    if [[ -z $2 ]]; then
        echo "ok   $1"
    else
        echo "FAIL $1"
        sed 's/^/     /' <<<"$2"
        failed=1
    fi
}

# Files of this tree, new ones included: sources <pattern...>
sources() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r f; do [[ ! -e $f ]] || echo "$f"; done; }
# Lines of <files...> that match <expression>, or nothing.
search() { local expression=$1; shift; if (($#)); then grep -nHE -- "$expression" "$@" || true; fi; }

git ls-files >/dev/null || { echo "FAIL git does not list the sources of this folder"; exit 1; }
mapfile -t cxx < <(sources '*.h' '*.cpp' '*.cu')
mapfile -t all < <(sources '*.h' '*.cpp' '*.cu' '*.py' '*.sh' '*.cmake' '*CMakeLists.txt' '.ci/run')
mapfile -t kernels < <(sources 'kernels/*.h' 'kernels/*.cpp' 'kernels/*.cu')
mapfile -t framework < <(sources 'framework/*.h' 'framework/*.cpp')
mapfile -t models < <(sources 'models/*.h' 'models/*.cpp')
mapfile -t benchmarks < <(sources 'benchmarks/*.h' 'benchmarks/*.cpp')
mapfile -t tools < <(sources 'tools/*.h' 'tools/*.cpp')
mapfile -t programs < <(sources 'examples/*.h' 'examples/*.cpp' 'benchmarks/*.h' 'benchmarks/*.cpp')
mapfile -t framework_headers < <(sources 'framework/*.h')
mapfile -t text < <(sources '*.md' "${all[@]}" '*.json' '*.txt' '*.in')

# Formatters and Python's linter are of the versions in tools/requirements_test.txt: elsewhere they decide otherwise.
venv=build/venv/bin
if [[ ! -x $venv/clang-format || ! -x $venv/ruff ]]; then
    check "formatting" "clang-format and ruff are not in build/venv: bash tools/setup.sh --test"
else
    if [[ ${1:-} == --fix ]]; then
        "$venv"/clang-format -i "${cxx[@]}"
        "$venv"/ruff check --quiet --fix . || true
    fi
    check "formatting (${#cxx[@]} files; tools/lint.sh --fix repairs it)" \
        "$("$venv"/clang-format --dry-run "${cxx[@]}" 2>&1 | grep -oE '^[^: ]+:[0-9]+:[0-9]+: warning' | cut -d: -f1 | uniq -c |
            awk '{print $2 ": " $1 " places"}' || true)"
    check "Python by ruff" "$("$venv"/ruff check --quiet --output-format concise . 2>&1 || true)"
fi
if command -v shellcheck >/dev/null; then
    mapfile -t shell < <(sources '*.sh' '.ci/run')
    check "shell scripts by shellcheck" "$(shellcheck --severity warning --format gcc "${shell[@]}" 2>&1 || true)"
else
    check "shell scripts by shellcheck" "shellcheck is not installed: bash tools/setup.sh --test"
fi

check "files of at most 500 lines" "$(wc -l "${all[@]}" | awk '$2 != "total" && $1 > 500 {print $2 ": " $1 " lines"}')"
check "a licence line on top" "$(for f in "${all[@]}"; do
    head -n 2 "$f" | awk '/^(\/\/|#) SPDX-License-Identifier: MIT$/ && (NR == 1 || first ~ /^#!/) {found = 1}
        {first = $0} END {exit !found}' || echo "$f: the first line is not '// SPDX-License-Identifier: MIT'"
done)"
check "no kernel includes the framework" "$(search '#include "(framework|models|examples|tests)/' "${kernels[@]}")"
check "no framework file includes a model" "$(search '#include "(models|examples|tests)/' "${framework[@]}")"
check "no model includes a program" "$(search '#include "(examples|tests)/' "${models[@]}")"
check "no benchmark includes a program or a test" "$(search '#include "(examples|tests)/' "${benchmarks[@]}")"
check "no tool includes what it serves" "$(search '#include "(kernels|framework|models|examples|benchmarks|tests)/' "${tools[@]}")"
check "no framework header includes oneDNN or stb" \
    "$(search '#include [<"]([^>"]*/)?(dnnl|oneapi|stb|kernels/common/onednn)' "${framework_headers[@]}")"
check "no error but lily::Error (kernels/common/error.h)" \
    "$(search 'throw std::|public std::(runtime|logic)_error' "${kernels[@]}" "${framework[@]}" "${models[@]}" "${programs[@]}" |
        grep -v '^kernels/common/error.h:' || true)"
check "no launch in triple brackets (kernels go through the launch helper)" "$(search '<<<' "${cxx[@]}")"
check "no sum of floats in the order of chance (float atomics)" \
    "$(search 'atomicAdd(_block|_system)?\(.*(float|double|[0-9]\.[0-9]*f)' "${kernels[@]}")"
check "the library neither exits nor prints" \
    "$(search '(^|[^a-zA-Z_:>.])(std::)?(exit|_exit|quick_exit|abort|printf|puts|putchar)\(|std::c(out|err)\b' "${kernels[@]}" "${framework[@]}" "${models[@]}")"
check "no package-registry host by name" \
    "$(search '(pypi|pythonhosted|anaconda|crates|npmjs|debian|ubuntu)[.](org|io|com)' "${text[@]}")"

if [[ ${1:-} != --quick ]]; then
    tidy=$(python3 tools/tidy.py 2>&1) && summary=$(tail -n 1 <<<"$tidy") tidy="" || summary="see below"
    check "clang-tidy ($summary)" "$tidy"
fi
exit $failed
