// SPDX-License-Identifier: MIT
// Ctrl-C, SIGTERM and a terminal that is closed let a long run end in good order; a second one ends it at
// once.
#pragma once

#include <signal.h>

#include <initializer_list>

namespace lily {

inline volatile sig_atomic_t interrupted = 0;  // the signal that came

inline void heed_interrupts() {
    struct sigaction action = {};
    action.sa_flags = SA_RESETHAND;
    action.sa_handler = [](int signal) { interrupted = signal; };
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction before = {};
        sigaction(signal, nullptr, &before);
        if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);  // else nohup's, a script's
    }
}

}  // namespace lily
