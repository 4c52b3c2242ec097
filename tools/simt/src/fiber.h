// SPDX-License-Identifier: MIT
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>

namespace simt {

class Worker;

// A stack that CUDA threads run on, one after the other as long as none of them has to wait.
struct Fiber {
    explicit Fiber(Worker* owner, size_t number = 0);  // null: the OS thread's own stack
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;
    void restart();  // forgets what was running on it

    Worker* owner;
    std::byte* memory = nullptr;  // the guard page, then the stack
    const void* stack = nullptr;
    size_t bytes = 0, begin = 0;  // where the first frame goes
    boost::context::detail::fcontext_t context = nullptr;
    void* kept = nullptr;  // the address sanitizer's
};

}  // namespace simt
