// SPDX-License-Identifier: MIT
#include "signals.h"

#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "engine.h"
#include "sanitizer.h"

namespace simt {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr int kStop = kWatchdogSignal;
static_assert(kStop == SIGURG);
constexpr size_t kHandlerStack = 64 << 10;

struct sigaction g_before[64];

// What happened, for the fiber to tell.
struct Crash {
    int signal;
    const void *address, *site;
};
__thread Crash t_crash;

// On the fiber's own stack, from its top on: what stood there is given up.
[[noreturn]] void land() {
    t_checked = nullptr;  // what follows is the runtime's own
    Worker& worker = *t_worker;
    const Crash crash = t_crash;
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, nullptr);
    if (crash.signal == kStop) worker.report_hang(crash.site);
    const char* what = crash.signal == SIGFPE   ? "an integer division by zero, or one that overflows"
                       : crash.signal == SIGILL ? "an instruction that does not exist"
                       : worker.beyond_stack(crash.address)
                           ? "too deep: the 256 KiB of the thread's stack are used up"
                           : "an address that nothing is at";
    static const std::string prefix = "the kernel crashed: ";
    worker.complain_as(
        crash.signal == SIGFPE || crash.signal == SIGILL ? FaultKind::trap : FaultKind::out_of_bounds,
        prefix + what, crash.site, crash.address);
}

void on_signal(int signal, siginfo_t* info, void* data) {
    auto& registers = static_cast<ucontext_t*>(data)->uc_mcontext.gregs;
    const bool busy = signal == kStop && t_worker != nullptr && t_worker->faults && t_checked == nullptr;
    if (t_worker != nullptr && !busy && t_worker->on_a_fiber(static_cast<uintptr_t>(registers[REG_RSP]))) {
        const auto pc = static_cast<uintptr_t>(registers[REG_RIP]);
        t_crash = {signal, signal == kStop ? nullptr : info->si_addr, reinterpret_cast<const void*>(pc + 1)};
        if (!in_a_module(pc)) {  // a call of something that is no function: who called stands on the stack
            const uintptr_t top = static_cast<uintptr_t>(registers[REG_RSP]);
            t_crash.site = *reinterpret_cast<const void* const*>(top);
        }
        registers[REG_RSP] = static_cast<greg_t>(t_worker->stack_top() - 8);  // as after a call
        registers[REG_RIP] = static_cast<greg_t>(reinterpret_cast<uintptr_t>(&land));
        return;
    }
    if (signal == kStop) return;
    const struct sigaction& before = g_before[signal];
    if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr)
        return before.sa_sigaction(signal, info, data);
    if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
    ::signal(signal, SIG_DFL);  // happens again, and ends the program
}

void install(int signal) {
    struct sigaction current;
    sigaction(signal, nullptr, &current);
    if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == on_signal) return;
    g_before[signal] = current;
    struct sigaction ours = {};
    ours.sa_sigaction = on_signal;
    ours.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigaction(signal, &ours, nullptr);
}

// One thread for all launches: looks ten times a second.
class Watchdog {
  public:
    static Watchdog& instance() {
        static auto* const made = new Watchdog;
        return *made;
    }
    void begin() {
        const std::lock_guard lock(mutex_);
        if (!started_) std::thread([this] { watch(); }).detach();
        started_ = true;
        running_ = true;
        if (asleep_) wake_.notify_one();
    }
    void end() {
        const std::lock_guard lock(mutex_);
        running_ = false;
    }

  private:
    void watch() {
        std::unique_lock lock(mutex_);
        for (;;) {
            asleep_ = true;
            wake_.wait(lock, [this] { return running_; });
            asleep_ = false;
            // stays awake for a second after the last launch: a wake-up for each would cost too much
            for (int idle = 0; idle < 10; idle = running_ ? 0 : idle + 1) {
                wake_.wait_for(lock, std::chrono::milliseconds(100));
                if (running_) Worker::stop_hung(watch_seconds());
            }
        }
    }
    std::mutex mutex_;
    std::condition_variable wake_;
    bool started_ = false, running_ = false, asleep_ = false;
};

}  // namespace

void prepare_signals() {
    if (LILY_SIMT_ASAN) return;
    for (const int signal : kSignals) install(signal);
    install(kStop);
}

void prepare_signals_thread() {
    if (LILY_SIMT_ASAN) return;
    stack_t present;
    if (sigaltstack(nullptr, &present) == 0 && (present.ss_flags & SS_DISABLE) == 0) return;
    static thread_local std::vector<std::byte> memory(kHandlerStack);
    stack_t stack = {};
    stack.ss_sp = memory.data();
    stack.ss_size = memory.size();
    sigaltstack(&stack, nullptr);
}

namespace {
double default_seconds() {
    const char* asked = std::getenv("LILY_SIMT_TIMEOUT");
    const double wanted = asked == nullptr ? 0 : std::atof(asked);
    return wanted > 0 ? wanted : 60.0;
}
std::atomic<double> g_seconds = default_seconds();
}  // namespace

double watch_seconds() { return g_seconds; }
void set_timeout(double seconds) { g_seconds = seconds > 0 ? seconds : default_seconds(); }

void begin_watch() {
    if (!LILY_SIMT_ASAN) Watchdog::instance().begin();
}
void end_watch() {
    if (!LILY_SIMT_ASAN) Watchdog::instance().end();
}

}  // namespace simt
