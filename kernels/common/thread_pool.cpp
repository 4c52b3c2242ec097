// SPDX-License-Identifier: MIT
#include "kernels/common/thread_pool.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <limits>
#include <thread>
#include <utility>

namespace lily::kernels {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr int kMostThreads = 1024;
constexpr int64_t kMostRuns = std::numeric_limits<uint16_t>::max();  // of a share
// Longer than the gaps between the loops of a training step, shorter than anybody would notice.
constexpr auto kSpin = microseconds(200);
// A spinning thread that misses so much time shares its core. It then leaves that core at once when it waits,
// so that its turn is not used up when there is work, and looks again after a while.
constexpr auto kMissed = microseconds(300), kCrowdedFor = microseconds(50'000);

thread_local int number = 0;
thread_local bool inside = false;  // of a task

inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// oneDNN's loops run on threads of libgomp, which spin for milliseconds when a loop has ended, and so keep
// the cores from ours; but a hundred times at most while there are more of them than cores, by its manual
// (GOMP_SPINCOUNT). One more, which sleeps from now on, makes them so. What the user has set stays.
void shorten_spins_of_openmp() {
    if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
    std::atomic<int> threads{0};
#pragma omp parallel num_threads(2)
    ++threads;
}

// The next runs that nobody has taken, [first, last) of a job, in one word so that taking one is atomic. The
// job's number is there too: who comes late takes nothing of another job.
struct Stretch {
    uint32_t job;
    uint16_t first, last;
    static Stretch of(uint64_t word) {
        return {static_cast<uint32_t>(word >> 32), static_cast<uint16_t>(word >> 16),
                static_cast<uint16_t>(word)};
    }
    uint64_t word() const { return uint64_t{job} << 32 | uint64_t{first} << 16 | last; }
};

class Pool {
  public:
    // false: another thread has a loop
    bool run(int64_t n, int threads, void (*run)(const void*, int64_t), const void* body) {
        if (busy_.exchange(true, std::memory_order_acquire)) return false;
        const int team = start(std::min<int64_t>({threads, n, most_}));
        publish(n, team, run, body);
        take_part(0, job_.load(std::memory_order_relaxed));
        for (uint32_t done; (done = done_.load(std::memory_order_acquire)) < runs_;) wait(done_, done);
        busy_.store(false, std::memory_order_release);
        return true;
    }

  private:
    struct alignas(64) Share {
        std::atomic<uint64_t> word{0};
    };

    // Sees to it that there are so many threads, this one among them; how many there are.
    int start(int64_t threads) {
        while (workers_ + 1 < threads && !refused_) try {
                std::thread([this, slot = workers_ + 1] { work(slot); }).detach();
                ++workers_;
            } catch (const std::exception&) {  // a limit of the system's: fewer will do
                refused_ = true;
            }
        return std::min(static_cast<int>(threads), workers_ + 1);
    }

    void publish(int64_t n, int team, void (*run)(const void*, int64_t), const void* body) {
        n_ = n;
        run_ = run;
        body_ = body;
        per_run_ = (n + team * kMostRuns - 1) / (team * kMostRuns);
        runs_ = static_cast<uint32_t>((n + per_run_ - 1) / per_run_);
        done_.store(0, std::memory_order_relaxed);
        team_.store(team, std::memory_order_relaxed);
        const uint32_t job = job_.load(std::memory_order_relaxed) + 1;
        for (int t = 0; t < team; ++t) {
            const int64_t begin = int64_t{runs_} * t / team, end = int64_t{runs_} * (t + 1) / team;
            first_[static_cast<size_t>(t)] = begin;
            const Stretch all{job, 0, static_cast<uint16_t>(end - begin)};
            shares_[static_cast<size_t>(t)].word.store(all.word(), std::memory_order_release);
        }
        job_.store(job, std::memory_order_seq_cst);
        job_.notify_all();
    }

    // A run of that share: its owner takes the first, a helper the last.
    bool take(Share& share, uint32_t job, bool own, int64_t& run) {
        uint64_t word = share.word.load(std::memory_order_acquire);
        for (;;) {
            Stretch rest = Stretch::of(word);
            if (rest.job != job || rest.first == rest.last) return false;
            run = own ? rest.first++ : --rest.last;
            if (share.word.compare_exchange_weak(word, rest.word(), std::memory_order_acq_rel,
                                                 std::memory_order_acquire))
                return true;
        }
    }

    // What a job is may be read once one of its runs is taken: it does not end before that run is done.
    void take_part(int slot, uint32_t job) {
        const int team = team_.load(std::memory_order_relaxed);
        if (slot >= team) return;
        uint32_t done = 0;
        number = slot;
        inside = true;
        for (int t = 0; t < team; ++t) {
            const auto owner = static_cast<size_t>((slot + t) % team);
            for (int64_t run = 0; take(shares_[owner], job, t == 0, run); ++done) {
                const int64_t begin = (first_[owner] + run) * per_run_;
                for (int64_t i = begin; i < std::min(n_, begin + per_run_); ++i) run_(body_, i);
            }
        }
        number = 0;
        inside = false;
        if (done == 0) return;
        done_.fetch_add(done, std::memory_order_acq_rel);
        done_.notify_one();
    }

    [[noreturn]] void work(int slot) {
        if (slot == 1) shorten_spins_of_openmp();
        omp_set_num_threads(1);  // of a library that is called in a task
        for (uint32_t job = 0;;) {
            wait(job_, job);
            job = job_.load(std::memory_order_acquire);
            take_part(slot, job);
        }
    }

    // Returns when `word` has another value: awake for a short time, then asleep.
    void wait(std::atomic<uint32_t>& word, uint32_t old) {
        const Clock::time_point began = Clock::now();
        if (workers_.load(std::memory_order_relaxed) < cores_ &&
            began.time_since_epoch().count() > crowded_until_.load(std::memory_order_relaxed))
            for (auto before = began; before - began < kSpin;) {
                for (int i = 0; i < 16; ++i, pause())
                    if (word.load(std::memory_order_acquire) != old) return;
                const Clock::time_point now = Clock::now();
                if (now - before > kMissed) {
                    crowded_until_ = (now + kCrowdedFor).time_since_epoch().count();
                    break;
                }
                before = now;
            }
        word.wait(old, std::memory_order_acquire);
    }

    const int most_ = std::clamp(omp_get_thread_limit(), 1, kMostThreads);
    const int cores_ = static_cast<int>(std::thread::hardware_concurrency());
    std::atomic<bool> busy_{false};
    std::atomic<int> workers_{0};  // besides the threads that have loops
    bool refused_ = false;         // the system has refused another

    // of the present job
    int64_t n_ = 0, per_run_ = 1;
    void (*run_)(const void*, int64_t) = nullptr;
    const void* body_ = nullptr;
    uint32_t runs_ = 0;
    std::array<int64_t, kMostThreads> first_{};  // run of each share
    std::array<Share, kMostThreads> shares_;
    std::atomic<int> team_{0};
    alignas(64) std::atomic<uint32_t> job_{0};
    alignas(64) std::atomic<uint32_t> done_{0};  // runs
    alignas(64) std::atomic<int64_t> crowded_until_{0};
};

// Its threads run until the process ends: it is never taken down.
Pool& pool() {
    static Pool& one = *new Pool;
    return one;
}

}  // namespace

int thread_number() { return number; }

void run_tasks(int64_t n, int threads, void (*run)(const void*, int64_t), const void* body) {
    if (n > 1 && threads > 1 && !inside && pool().run(n, threads, run, body)) return;
    const int outer = std::exchange(number, 0);
    for (int64_t i = 0; i < n; ++i) run(body, i);
    number = outer;
}

}  // namespace lily::kernels
