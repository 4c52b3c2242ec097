// SPDX-License-Identifier: MIT
// Loops over all cores, compiled for the widest vectors that the machine has.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <string_view>

#include "kernels/common/thread_pool.h"

namespace lily::kernels {

constexpr int64_t ceil_div(int64_t n, int64_t d) { return (n + d - 1) / d; }

enum class Isa { baseline, avx2, avx512 };

std::string_view name(Isa isa);

// What this machine has; LILY_CPU_ISA=baseline|avx2|avx512 in the environment asks for less, and any other
// word throws.
Isa cpu_isa();

int max_threads();
void set_max_threads(int threads);  // 0: all

// The lambda is inlined ("flatten") into a function per instruction set, so plain loops inside it become
// AVX-512, AVX2 or SSE code: no -march=native, one binary for all machines, nothing shared between the
// clones.
namespace isa {
#if defined(__x86_64__)
template <class Body>
__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"), flatten)) void run_avx512(
    const Body& body, int64_t begin, int64_t end) {
    body(begin, end);
}
template <class Body>
__attribute__((target("avx2,fma"), flatten)) void run_avx2(const Body& body, int64_t begin, int64_t end) {
    body(begin, end);
}
#endif
template <class Body>
__attribute__((flatten)) void run_baseline(const Body& body, int64_t begin, int64_t end) {
    body(begin, end);
}
}  // namespace isa

// body(begin, end) on this thread.
template <class Body>
void vectorised(int64_t begin, int64_t end, const Body& body) {
    if (begin >= end) return;
#if defined(__x86_64__)
    switch (cpu_isa()) {
        case Isa::avx512:
            return isa::run_avx512(body, begin, end);
        case Isa::avx2:
            return isa::run_avx2(body, begin, end);
        case Isa::baseline:
            break;
    }
#endif
    isa::run_baseline(body, begin, end);
}

// An exception that leaves a parallel region ends the process: this carries the first one out.
class FirstException {
  public:
    // body(), unless one has failed before
    template <class Body>
    void guard(const Body& body) noexcept {
        if (failed_.load(std::memory_order_relaxed)) return;
        try {
            body();
        } catch (...) {
            if (!failed_.exchange(true)) first_ = std::current_exception();
        }
    }
    void rethrow() const {  // after the region
        if (first_) std::rethrow_exception(first_);
    }

  private:
    std::atomic<bool> failed_{false};
    std::exception_ptr first_;
};

// body(task) for each task in [0, n), spread over the threads; a body may not throw.
template <class Body>
void spread_tasks(int64_t n, int threads, const Body& body) {
    run_tasks(
        n, threads, [](const void* p, int64_t task) { (*static_cast<const Body*>(p))(task); }, &body);
}

// body(begin, end) over [0, n) in pieces of `grain`, spread over the threads. The pieces do not depend on the
// number of threads, so a sum per piece, added up in order, has the same bits on any machine setting. What a
// body throws is thrown here, once all threads are done; the pieces that had not begun are left out.
template <class Body>
void parallel_for(int64_t n, int64_t grain, const Body& body) {
    const int64_t pieces = ceil_div(n, grain);
    if (pieces <= 1) return vectorised(0, n, body);
    FirstException exception;
    spread_tasks(pieces, max_threads(), [&](int64_t i) {
        exception.guard([&] { vectorised(i * grain, std::min(n, (i + 1) * grain), body); });
    });
    exception.rethrow();
}

// The CPU has the registers that loops over vectors of 8 or 16 floats are written for.
inline bool has_wide_vectors() { return cpu_isa() != Isa::baseline; }

// body(task, thread) for each task in [0, n), each taken by the next thread that is free; thread counts from
// 0. The body works with vectors of B floats, so it is compiled for the one instruction set that has these:
// call it where has_wide_vectors(), with B = 16 only where there is AVX-512. fork: more than one thread.
// Exceptions as from parallel_for.
template <int B, class Body>
void parallel_tasks(int64_t n, bool fork, const Body& body) {
    FirstException exception;
    spread_tasks(n, fork ? max_threads() : 1, [&](int64_t task) {
        const int64_t thread = thread_number();
        const auto one = [&](int64_t i, int64_t) { body(i, thread); };
        exception.guard([&] {
#if defined(__x86_64__)
            if constexpr (B == 16)
                isa::run_avx512(one, task, task + 1);
            else
                isa::run_avx2(one, task, task + 1);
#else
            isa::run_baseline(one, task, task + 1);
#endif
        });
    });
    exception.rethrow();
}

// Elements per piece of an elementwise loop: large enough to hide the cost of a fork.
inline constexpr int64_t kGrain = 16384;

}  // namespace lily::kernels
