// SPDX-License-Identifier: MIT
// The threads of parallel.h's loops. A team of OpenMP ends a loop when all of its threads have come, work or
// no work; beside another program, one that waits for its turn holds up the others. Here a thread that has
// not come holds nothing: the others take its tasks.
#pragma once

#include <cstdint>

namespace lily::kernels {

// run(body, task) for each task in [0, n) on this thread and at most threads - 1 others, which sleep between
// loops after a short spin. Each begins with a stretch of neighbouring tasks, the same in every loop of n
// tasks, and helps another when it is done. Inside a task, or while another thread has a loop, this thread
// does all tasks itself, in order. run must not throw.
void run_tasks(int64_t n, int threads, void (*run)(const void* body, int64_t task), const void* body);

int thread_number();  // of this thread among those of the present loop, from 0

}  // namespace lily::kernels
