// SPDX-License-Identifier: MIT
#include "kernels/common/onednn.h"

#include <cstdlib>
#include <new>

#include "kernels/common/out_of_memory.h"
#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

// LILY_CPU_ISA holds for oneDNN too, unless its own variable says otherwise; possible only before its first
// use.
void limit_isa() {
    if (std::getenv("ONEDNN_MAX_CPU_ISA") || std::getenv("DNNL_MAX_CPU_ISA")) return;
    if (cpu_isa() == Isa::baseline) dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41);
    if (cpu_isa() == Isa::avx2) dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
}

}  // namespace

dnnl::engine& onednn_engine() {
    static dnnl::engine engine = [] {
        limit_isa();
        return dnnl::engine(dnnl::engine::kind::cpu, 0);
    }();
    return engine;
}

dnnl::stream& onednn_stream() {
    thread_local dnnl::stream stream(onednn_engine());  // a stream is for one thread
    return stream;
}

bool is_out_of_memory(const std::exception& error) {
    if (const auto* of_onednn = dynamic_cast<const dnnl::error*>(&error))
        return of_onednn->status == dnnl_out_of_memory;
    return dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
}

}  // namespace lily::kernels
