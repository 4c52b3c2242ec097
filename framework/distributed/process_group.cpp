// SPDX-License-Identifier: MIT
#include "framework/distributed/process_group.h"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "framework/error.h"
#include "framework/io/fingerprint.h"
#include "framework/train/interrupt.h"

#ifdef LILY_HAS_MPI
#include <mpi.h>
#endif

namespace lily::distributed {
namespace {

using Clock = std::chrono::steady_clock;

// Open MPI's mpirun tells its processes how many they are, and so do the launchers that follow PMI.
bool started_by_mpirun() {
    for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
        if (const char* size = std::getenv(name); size && std::atoi(size) > 1) return true;
    return false;
}

}  // namespace

struct ProcessGroup::Pending::State {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    std::exception_ptr failed;
};

// Ctrl-C reaches all processes, and they finish the step together. But a process that has died is not going
// to answer: mpirun ends the others by SIGTERM, and a second later by SIGKILL.
void ProcessGroup::Pending::wait() {
    if (!state_) return;
    constexpr auto kPatience = std::chrono::milliseconds(500);
    std::unique_lock lock(state_->mutex);
    Clock::time_point asked_to_end = Clock::time_point::max();
    while (!state_->changed.wait_for(lock, std::chrono::milliseconds(50), [this] { return state_->done; })) {
        if (!interrupted) continue;
        if (asked_to_end == Clock::time_point::max()) asked_to_end = Clock::now();
        if (Clock::now() - asked_to_end > kPatience)
            fail(
                "another process of this training does not answer; go on from the last checkpoint by "
                "--resume");
    }
    const std::exception_ptr failed = state_->failed;
    lock.unlock();
    state_.reset();
    if (failed) std::rethrow_exception(failed);
}

#ifdef LILY_HAS_MPI

namespace {

void require_success(int code, const char* what) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    MPI_Error_string(code, text, &length);
    fail("[distributed] {} failed: {}", what, std::string(text, static_cast<size_t>(length)));
}

// MPI waits by spinning, which takes cores from those it waits for. So: look, give way, and after a while
// sleep between looks.
void wait_for(MPI_Request& request) {
    constexpr auto kGiveWay = std::chrono::microseconds(300), kSleep = std::chrono::microseconds(50);
    const Clock::time_point begin = Clock::now();
    for (;;) {
        int done = 0;
        require_success(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "waiting");
        if (done) return;
        if (Clock::now() - begin < kGiveWay)
            std::this_thread::yield();
        else
            std::this_thread::sleep_for(kSleep);
    }
}

template <class T>
MPI_Datatype type_of();
template <>
MPI_Datatype type_of<float>() {
    return MPI_FLOAT;
}
template <>
MPI_Datatype type_of<double>() {
    return MPI_DOUBLE;
}

// Process r adds up piece r of all, in the order of ranks, and gives everybody the result.
template <class T>
void sum_in_order(std::span<T> values, T factor, int rank, int size) {
    std::vector<int> count(static_cast<size_t>(size)), at(static_cast<size_t>(size)), mine(count),
        mine_at(count);
    const auto n = static_cast<int64_t>(values.size());
    for (int r = 0; r < size; ++r) {
        const auto i = static_cast<size_t>(r);
        at[i] = static_cast<int>(n * r / size);
        count[i] = static_cast<int>(n * (r + 1) / size) - at[i];
    }
    const int own = count[static_cast<size_t>(rank)];
    for (int r = 0; r < size; ++r) {
        mine[static_cast<size_t>(r)] = own;
        mine_at[static_cast<size_t>(r)] = r * own;
    }
    std::vector<T> pieces(static_cast<size_t>(own) * static_cast<size_t>(size));
    MPI_Request request;
    require_success(MPI_Ialltoallv(values.data(), count.data(), at.data(), type_of<T>(), pieces.data(),
                                   mine.data(), mine_at.data(), type_of<T>(), MPI_COMM_WORLD, &request),
                    "exchanging gradients");
    wait_for(request);
    const auto length = static_cast<size_t>(own);
    for (size_t from = length; from < pieces.size(); from += length)
        for (size_t i = 0; i < length; ++i) pieces[i] += pieces[from + i];
    for (size_t i = 0; i < length && factor != 1; ++i) pieces[i] *= factor;
    require_success(MPI_Iallgatherv(pieces.data(), own, type_of<T>(), values.data(), count.data(), at.data(),
                                    type_of<T>(), MPI_COMM_WORLD, &request),
                    "collecting sums");
    wait_for(request);
}

}  // namespace

// The thread that speaks MPI: the library then needs no locks.
struct ProcessGroup::Worker {
    using Job = std::function<void()>;

    Worker() {
        Pending joined = post([this] {
            int provided = 0;
            require_success(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "joining");
            MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
            MPI_Comm_rank(MPI_COMM_WORLD, &rank);
            MPI_Comm_size(MPI_COMM_WORLD, &size);
        });
        thread = std::thread([this] { work(); });
        try {
            joined.wait();
        } catch (...) {
            leave(false);
            throw;
        }
    }

    Pending post(Job job) {
        Pending pending;
        pending.state_ = std::make_shared<Pending::State>();
        {
            const std::lock_guard lock(mutex);
            jobs.push_back({std::move(job), pending.state_});
        }
        changed.notify_one();
        return pending;
    }

    void work() {
        for (;;) {
            Entry entry;
            {
                std::unique_lock lock(mutex);
                changed.wait(lock, [this] { return !jobs.empty(); });
                entry = std::move(jobs.front());
                jobs.pop_front();
            }
            if (!entry.job) return;
            std::exception_ptr failed;
            try {
                entry.job();
            } catch (...) {
                failed = std::current_exception();
            }
            {
                const std::lock_guard lock(entry.state->mutex);
                entry.state->done = true;
                entry.state->failed = failed;
            }
            entry.state->changed.notify_all();
        }
    }

    // In an emergency the thread may be waiting for somebody who does not come: it ends with the program.
    void leave(bool in_good_order) {
        if (in_good_order) post([] { MPI_Finalize(); });
        post(nullptr);
        in_good_order ? thread.join() : thread.detach();
    }

    struct Entry {
        Job job;
        std::shared_ptr<Pending::State> state;
    };
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Entry> jobs;
    int rank = 0, size = 1;
    std::thread thread;
};

ProcessGroup::ProcessGroup() {
    if (!started_by_mpirun()) return;
    worker_ = std::make_unique<Worker>();
    rank_ = worker_->rank;
    size_ = worker_->size;
}

ProcessGroup::~ProcessGroup() {
    if (!worker_) return;
    const bool in_good_order = std::uncaught_exceptions() == 0;
    worker_->leave(in_good_order);
    if (!in_good_order) static_cast<void>(worker_.release());  // its thread still uses it
}

template <class T>
ProcessGroup::Pending ProcessGroup::begin_sum_of(std::span<T> values, double factor) {
    if (is_alone()) return {};
    check(values.size() <= size_t{1} << 30, "[distributed] expected at most 2^30 numbers at once, got {}",
          values.size());
    return worker_->post([values, factor, this] {
        sum_in_order(values, static_cast<T>(factor), static_cast<int>(rank_), static_cast<int>(size_));
    });
}

int64_t ProcessGroup::most(int64_t value) {
    if (is_alone()) return value;
    struct Numbers {
        int64_t own, largest;
    };
    // Not on this stack: if wait() throws, the thread still has them.
    const auto numbers = std::make_shared<Numbers>(Numbers{value, value});
    worker_
        ->post([numbers] {
            MPI_Request request;
            require_success(MPI_Iallreduce(&numbers->own, &numbers->largest, 1, MPI_INT64_T, MPI_MAX,
                                           MPI_COMM_WORLD, &request),
                            "comparing");
            wait_for(request);
        })
        .wait();
    return numbers->largest;
}

#else

struct ProcessGroup::Worker {};

ProcessGroup::ProcessGroup() {
    check(!started_by_mpirun(),
          "this lilypad was built without MPI: install libopenmpi-dev and build again, or start it without "
          "mpirun");
}
ProcessGroup::~ProcessGroup() = default;
template <class T>
ProcessGroup::Pending ProcessGroup::begin_sum_of(std::span<T>, double) {
    return {};
}
int64_t ProcessGroup::most(int64_t value) { return value; }

#endif

ProcessGroup::ProcessGroup(Alone) {}

ProcessGroup& ProcessGroup::alone() {
    static ProcessGroup group{Alone{}};
    return group;
}

ProcessGroup::Pending ProcessGroup::begin_sum(std::span<float> values, double factor) {
    return begin_sum_of(values, factor);
}
ProcessGroup::Pending ProcessGroup::begin_sum(std::span<double> values, double factor) {
    return begin_sum_of(values, factor);
}

void ProcessGroup::barrier() { most(0); }

void ProcessGroup::require_same(const std::string& what, const std::string& text) {
    if (is_alone()) return;
    io::Fingerprint of;
    of.add(text);
    // The first 60 bits, as a number that can be negated.
    const int64_t number = std::stoll(of.text().substr(0, 15), nullptr, 16);
    const int64_t largest = most(number), least = -most(-number);
    check(largest == least, "the processes of this training differ in {}: start all of them alike", what);
}

}  // namespace lily::distributed
