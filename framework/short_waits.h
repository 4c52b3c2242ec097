// SPDX-License-Identifier: MIT
#pragma once

namespace lily {

// For programs that share their cores with others. Threads of our own loops sleep soon when they wait.
// oneDNN's are libgomp's, which spin for milliseconds unless the environment says otherwise when libgomp is
// loaded: this starts the program anew, once, with GOMP_SPINCOUNT=1000 (some ten microseconds). To be called
// first of all in main, while nothing is open: arguments, standard streams and the process id stay. Returns
// if GOMP_SPINCOUNT or OMP_WAIT_POLICY is set, if something is preloaded (valgrind, a profiler), and where
// the program cannot be started again.
void restart_with_short_waits(char** argv);

}  // namespace lily
