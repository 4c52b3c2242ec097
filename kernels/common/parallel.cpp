// SPDX-License-Identifier: MIT
#include "kernels/common/parallel.h"

#include <omp.h>

#include <atomic>
#include <cstdlib>
#include <string>

#include "kernels/common/error.h"

namespace lily::kernels {
namespace {

Isa detect_isa() {
    Isa best = Isa::baseline;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) best = Isa::avx2;
    if (best == Isa::avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        best = Isa::avx512;
#endif
    const char* limit = std::getenv("LILY_CPU_ISA");
    if (!limit || !*limit) return best;
    for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
        if (limit == name(isa)) return std::min(best, isa);
    throw Error("[cpu] expected LILY_CPU_ISA=baseline, avx2 or avx512, got '" + std::string(limit) + "'");
}

std::atomic<int> thread_limit{0};  // 0: OpenMP's own default (all cores, or OMP_NUM_THREADS)

}  // namespace

std::string_view name(Isa isa) {
    return isa == Isa::avx512 ? "avx512" : (isa == Isa::avx2 ? "avx2" : "baseline");
}

Isa cpu_isa() {
    static const Isa isa = detect_isa();
    return isa;
}

int max_threads() {
    const int limit = thread_limit;
    return limit > 0 ? limit : omp_get_max_threads();
}

void set_max_threads(int threads) {
    thread_limit = threads;
    static const int all = omp_get_max_threads();      // before the first change
    omp_set_num_threads(threads > 0 ? threads : all);  // oneDNN asks OpenMP
}

}  // namespace lily::kernels
