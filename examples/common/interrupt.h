// SPDX-License-Identifier: MIT
// Ctrl-C and SIGTERM let a long run end in good order; a second one ends it at once.
#pragma once

#include <signal.h>

namespace lily {

inline volatile sig_atomic_t interrupted = 0;  // the signal that came

inline void heed_interrupts() {
    struct sigaction action = {};
    action.sa_flags = SA_RESETHAND;
    action.sa_handler = [](int signal) { interrupted = signal; };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

}  // namespace lily
