// SPDX-License-Identifier: MIT
// Threads that wait for others by reading a value again and again. They give way; where everybody does no
// more than that, the launch has no end, and the report says who waits for what.
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "arena.h"
#include "engine.h"
#include "signals.h"

namespace simt {
namespace {

constexpr unsigned kPatience = 64;    // the same value so often: give way to another thread
constexpr int64_t kStuckFor = 20;     // ms, then another block may begin; if there is none:
constexpr int64_t kHopeless = 1000;   // ms
constexpr unsigned kMostExtra = 128;  // blocks that run beside the usual ones because those wait for them

int64_t now() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::mutex g_mutex;
std::vector<Worker*>& workers() {
    static auto* const all = new std::vector<Worker*>;
    return *all;
}

std::string text(uint64_t block, dim3 grid) {
    return "(" + std::to_string(block % grid.x) + "," + std::to_string(block / grid.x % grid.y) + "," +
           std::to_string(block / grid.x / grid.y) + ")";
}

}  // namespace

void Worker::enlist() {
    const std::lock_guard lock(g_mutex);
    os_thread_ = static_cast<uint64_t>(pthread_self());
    workers().push_back(this);
}
void Worker::resign() {
    const std::lock_guard lock(g_mutex);
    std::erase(workers(), this);
}

void Worker::poll(uintptr_t address, uint64_t value, const void* site) {
    Polled& seen = polled_[address / 4 % std::size(polled_)];
    if (seen.address != address || seen.value != value) {
        seen = {address, value};
        polls_ = 0;
        polling_ = false;
        return;
    }
    if (++polls_ < kPatience) return;
    polls_ = 0;
    const InRuntime runtime;
    if (!polling_ || steps_ != steps_then_) {
        steps_then_ = steps_;
        polling_since_ = now();
        polling_ = true;
    }
    polling_site_ = site;
    if (launch->stopped.load(std::memory_order_relaxed)) {  // by another block's fault: nobody needs this one
        aborted_ = true;
        switch_to(main_.get());
    }
    if (!give_way()) {
        sched_yield();
        if (now() - polling_since_ > kStuckFor) look_around(address, value, site);
    }
}

// False: there is no other thread of the block that could go on.
bool Worker::give_way() {
    if (next_ < count_) {
        start_first_ = true;
    } else if (ready_head_ == ready_.size() || now() - polling_since_ > kStuckFor) {
        return false;
    }
    const unsigned index = thread;
    const Scope kept = scope;
    if (full) unbind();
    Fiber* next = start_first_ ? fresh_fiber() : next_fiber();
    make_ready(index);
    switch_to(next);
    take_up(index);
    scope = kept;
    return true;
}

// Nothing moves here. If it does nowhere, let another block begin; if there is none, this is the end.
void Worker::look_around(uintptr_t address, uint64_t value, const void* site) {
    const int64_t since = std::max<int64_t>(polling_since_, launch->moved);
    if (now() - since <= kStuckFor) return;
    const bool more = launch->next_block < launch->blocks() && launch->extra < kMostExtra;
    const int64_t patience = more ? kStuckFor : kHopeless;
    if (now() - since <= patience) return;
    std::string others;
    {
        const std::lock_guard lock(g_mutex);
        for (const Worker* other : workers()) {
            if (other == this || other->launch != launch || !other->in_block_) continue;
            if (!other->polling_ || now() - other->polling_since_ <= patience) return;
            const Frame at = locate(other->polling_site_);
            if (others.size() < 400)
                others += "; block " + text(other->block_index, launch->grid) + " waits at line " +
                          std::to_string(at.line);
        }
    }
    if (more) {
        if (int64_t moved = launch->moved; launch->moved.compare_exchange_strong(moved, now())) {
            ++launch->extra;
            one_more_block(*launch);
        }
        return;
    }
    const uint64_t begun = std::min<uint64_t>(launch->next_block, launch->blocks());
    complaint_ = "a thread waits for ever: it reads " + std::to_string(value) + " again and again, " +
                 (address - g_shadow.base < g_shadow.size
                      ? Arena::instance().describe(reinterpret_cast<const void*>(address))
                      : std::string("in shared memory"));
    unsigned barrier = 0, line = 0;
    for (unsigned i = 0; i < count_; ++i)
        if (threads_[i].state == State::at_barrier && barrier++ == 0)
            line = static_cast<unsigned>(threads_[i].site.frame().line);
    if (barrier > 0)
        complaint_ += "; " + std::to_string(barrier) + " threads of the block wait at the barrier of line " +
                      std::to_string(line);
    complaint_ += others;
    if (begun < launch->blocks())
        complaint_ += "; " + std::to_string(launch->blocks() - begun) +
                      " blocks have not begun, and more than " + std::to_string(kMostExtra) +
                      " do not run at once here";
    fail(FaultKind::hang, cudaErrorLaunchTimeout, complaint_, site, reinterpret_cast<const void*>(address));
}

void Worker::report_hang(const void* site) {
    complaint_ = "no end in sight: for " + std::to_string(static_cast<int>(watch_seconds())) +
                 " s the thread has come to no barrier and not to its end (LILY_SIMT_TIMEOUT)";
    fail(FaultKind::hang, cudaErrorLaunchTimeout, complaint_, site);
}

// By the watchdog: a worker that takes no steps is interrupted, if it is in the kernel's own code.
void Worker::stop_hung(double seconds) {
    const std::lock_guard lock(g_mutex);
    for (Worker* worker : workers()) {
        const uint64_t steps = worker->steps_;
        if (!worker->in_block_ || steps != worker->watched_steps_) {
            worker->watched_steps_ = steps;
            worker->watched_since_ = now();
        } else if (static_cast<double>(now() - worker->watched_since_) > 1000 * seconds) {
            pthread_kill(static_cast<pthread_t>(worker->os_thread_), kWatchdogSignal);
        }
    }
}

bool Worker::on_a_fiber(uintptr_t address) const {
    constexpr size_t kBelow = 64 << 10;  // where a stack that is used up ends
    return running_ != main_.get() && address - (stack - kBelow) < stack_bytes + kBelow;
}
bool Worker::beyond_stack(const void* address) const {
    constexpr size_t kGuard = 4096;
    return reinterpret_cast<uintptr_t>(address) - (stack - kGuard) < kGuard;
}

void Worker::complain_as(FaultKind kind, const std::string& what, const void* site, const void* address) {
    complaint_ = what;
    fail(kind, kind == FaultKind::trap ? cudaErrorIllegalInstruction : cudaErrorIllegalAddress, complaint_,
         site, address);
}

}  // namespace simt
