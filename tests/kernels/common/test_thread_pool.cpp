// SPDX-License-Identifier: MIT
#include "kernels/common/thread_pool.h"

#include <omp.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include "kernels/common/parallel.h"
#include "tests/catch.h"

namespace lily::testing {
namespace {

using kernels::spread_tasks, kernels::thread_number;
using namespace std::chrono_literals;

// How often each of n tasks was done.
std::vector<int> counts(int64_t n, int threads) {
    std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
    spread_tasks(n, threads, [&](int64_t task) { ++seen[static_cast<size_t>(task)]; });
    return {seen.begin(), seen.end()};
}

template <class Ready>
bool within_ten_seconds(const Ready& ready) {
    for (const auto end = std::chrono::steady_clock::now() + 10s; std::chrono::steady_clock::now() < end;
         std::this_thread::sleep_for(1ms))
        if (ready()) return true;
    return ready();
}

double cpu_seconds() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace

TEST_CASE("the pool does every task once", "[kernels][parallel]") {
    for (const int threads : {1, 2, 3, 8})
        for (const int64_t n : {0, 1, 2, 3, 7, 100, 65535, 65537, 300'001}) {
            INFO(n << " tasks, " << threads << " threads");
            CHECK(counts(n, threads) == std::vector<int>(static_cast<size_t>(n), 1));
        }
}

TEST_CASE("the pool's loops follow each other at once", "[kernels][parallel]") {
    int64_t sum = 0;
    for (int64_t loop = 0; loop < 20'000; ++loop) {
        std::atomic<int64_t> here{0};
        spread_tasks(1 + loop % 9, 4, [&](int64_t task) { here += task + loop; });
        sum += here;
    }
    int64_t expected = 0;
    for (int64_t loop = 0; loop < 20'000; ++loop)
        for (int64_t task = 0; task <= loop % 9; ++task) expected += task + loop;
    CHECK(sum == expected);
}

TEST_CASE("a thread that is held up holds no other task", "[kernels][parallel]") {
    constexpr int64_t n = 100;
    for (const int threads : {2, 4}) {
        std::atomic<int64_t> done{0};
        std::atomic<bool> held{false}, alone{true};
        spread_tasks(n, threads, [&](int64_t) {
            if (!held.exchange(true)) alone = within_ten_seconds([&] { return done == n - 1; });
            ++done;
        });
        CHECK(alone);  // all others were done meanwhile
        CHECK(done == n);
    }
}

TEST_CASE("threads of a loop have numbers, none twice at a time", "[kernels][parallel]") {
    constexpr int kThreads = 4;
    std::vector<std::atomic<int>> users(kThreads);
    std::atomic<bool> fine{true};
    spread_tasks(2000, kThreads, [&](int64_t) {
        const int number = thread_number();
        if (number < 0 || number >= kThreads || ++users[static_cast<size_t>(number)] != 1) fine = false;
        std::this_thread::yield();
        --users[static_cast<size_t>(number)];
    });
    CHECK(fine);
    CHECK(thread_number() == 0);
}

TEST_CASE("a loop inside of a task runs on the task's thread, as number 0", "[kernels][parallel]") {
    std::atomic<int> inner{0};
    std::atomic<bool> fine{true};
    spread_tasks(16, 4, [&](int64_t) {
        const auto thread = std::this_thread::get_id();
        const int number = thread_number();
        spread_tasks(8, 4, [&](int64_t) {
            if (std::this_thread::get_id() != thread || thread_number() != 0) fine = false;
            ++inner;
        });
        if (thread_number() != number) fine = false;
    });
    CHECK(fine);
    CHECK(inner == 16 * 8);
}

TEST_CASE("several threads may have loops at the same time", "[kernels][parallel]") {
    std::atomic<int64_t> wrong{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([&] {
            for (int loop = 0; loop < 500; ++loop)
                for (const int count : counts(37, 3)) wrong += count != 1;
        });
    for (std::thread& caller : callers) caller.join();
    CHECK(wrong == 0);
}

TEST_CASE("waiting threads sleep", "[kernels][parallel]") {
    counts(100, 8);
    std::this_thread::sleep_for(20ms);
    const double before = cpu_seconds();
    std::this_thread::sleep_for(200ms);
    CHECK(cpu_seconds() - before < 0.02);
}

TEST_CASE("threads of OpenMP sleep soon, too", "[kernels][parallel]") {
    if (std::getenv("GOMP_SPINCOUNT")) SKIP("GOMP_SPINCOUNT is set: OpenMP is left alone");
    counts(100, 4);
    const int threads = omp_get_num_procs();
    double seconds = 0;
    for (int region = 0; region < 10; ++region) {
        std::atomic<int> there{0};
#pragma omp parallel num_threads(threads)
        ++there;
        REQUIRE(there == threads);
        const double before = cpu_seconds();
        std::this_thread::sleep_for(20ms);
        seconds += cpu_seconds() - before;
    }
    CHECK(seconds < 2e-3 * threads);
}

}  // namespace lily::testing
