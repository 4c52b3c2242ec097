// SPDX-License-Identifier: MIT
// What would end the program, or never end, becomes the report of a fault: signals in a kernel, and the
// watchdog's.
#pragma once

#include <cstdint>

namespace simt {

void prepare_signals();         // before a launch: somebody may have set other handlers
void prepare_signals_thread();  // on each OS thread that runs blocks: a stack for the handlers

// Watches the launch that begins: a worker that has come no further for LILY_SIMT_TIMEOUT seconds is stopped.
constexpr int kWatchdogSignal = 23;  // SIGURG: ignored by default, so a late one does no harm
void begin_watch();
void end_watch();
double watch_seconds();

}  // namespace simt
