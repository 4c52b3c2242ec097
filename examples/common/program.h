// SPDX-License-Identifier: MIT
// The frame of every program: whatever happens, one line on stderr and a non-zero exit.
#pragma once

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <exception>
#include <string>

#include "framework/io/progress.h"
#include "kernels/common/out_of_memory.h"

namespace lily {

struct ProgramName {
    const char* name;
    const char* on_little_memory;  // what the user can do then
};
inline ProgramName this_program{"", ""};

inline std::string error_text(const std::exception& error) {
    if (!kernels::is_out_of_memory(error)) return error.what();
    return fmt::format("there is not enough memory: {}", this_program.on_little_memory);
}

inline int report(const std::exception& error) {
    io::put(stderr, fmt::format("{}: {}\n", this_program.name, error_text(error)));
    return 1;
}

// body() -> exit code; the program is to call this first of all.
template <class Body>
int run_program(const ProgramName& program, const Body& body) {
    this_program = program;
    // `program 2>&1 | tee log`: Ctrl-C ends tee first, and what is said then must not end the program. Nor
    // must a file that grows beyond ulimit -f: the write says so.
    for (const int signal_number : {SIGPIPE, SIGXFSZ}) signal(signal_number, SIG_IGN);
    // An exception in a thread of a parallel loop cannot leave it.
    std::set_terminate([] {
        try {
            if (std::current_exception()) std::rethrow_exception(std::current_exception());
        } catch (const std::exception& error) {
            report(error);
            ::_exit(1);
        } catch (...) {
        }
        std::abort();
    });
    try {
        return body();
    } catch (const std::exception& error) {
        return report(error);
    }
}

}  // namespace lily
