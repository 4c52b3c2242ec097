// SPDX-License-Identifier: MIT
// The processes that train one model together, each on its part of every batch: started by mpirun, connected
// by MPI. A process that was started without it is a group of one, and MPI is not touched.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace lily::distributed {

// What all processes do together; each has to call the same functions in the same order. They run in a thread
// of their own, one after the other.
class ProcessGroup {
  public:
    // Joins the others, if mpirun started this process. Once per program. Throws where lilypad was built
    // without MPI and mpirun started it.
    ProcessGroup();
    // Leaves the group in good order; where an exception ends the program, without waiting for the others.
    ~ProcessGroup();
    ProcessGroup(const ProcessGroup&) = delete;
    ProcessGroup& operator=(const ProcessGroup&) = delete;

    int64_t rank() const { return rank_; }
    int64_t size() const { return size_; }
    // The process that writes files and talks to the user.
    bool is_first() const { return rank_ == 0; }
    bool is_alone() const { return size_ == 1; }

    // Work that goes on beside the caller's.
    class Pending {
      public:
        Pending() = default;
        // Throws what went wrong. If another process has died, mpirun ends this one by SIGTERM: then it
        // throws within a second.
        void wait();

      private:
        friend class ProcessGroup;
        struct State;
        std::shared_ptr<State> state_;  // none: done
    };

    // values[i] <- factor times the sum of all processes' values[i], added in the order of their ranks: the
    // same bits in every process and every run, whatever the length. The values are not to be touched until
    // it is done.
    Pending begin_sum(std::span<float> values, double factor = 1);
    Pending begin_sum(std::span<double> values, double factor = 1);
    // The same, and waits for it.
    template <class T>
    void sum(std::span<T> values) {
        begin_sum(values).wait();
    }
    template <class T>
    void mean(std::span<T> values) {
        begin_sum(values, 1.0 / static_cast<double>(size_)).wait();
    }
    int64_t most(int64_t value);  // the largest of all processes'
    void barrier();
    // Throws, naming a rank, if a process has another text: options, fingerprints.
    void require_same(const std::string& what, const std::string& text);

    // A group of one, also under mpirun: for those that do not train together.
    static ProcessGroup& alone();

  private:
    struct Worker;
    struct Alone {};
    explicit ProcessGroup(Alone);
    template <class T>
    Pending begin_sum_of(std::span<T> values, double factor);

    int64_t rank_ = 0, size_ = 1;
    std::unique_ptr<Worker> worker_;  // none: alone
};

}  // namespace lily::distributed
