// SPDX-License-Identifier: MIT
#include "framework/train/collapse.h"

#include "framework/io/file.h"
#include "tests/framework/io/io_test.h"

namespace lily::train {
namespace {

using io::ScratchFolder;

// A run whose step counts, and whose health check after each step finds what `problem` says of the count.
struct Guarded {
    Guarded(const ScratchFolder& dir, OnCollapse what, int64_t steps,
            std::function<std::string(int64_t count)> problem_of)
        : problem(std::move(problem_of)),
          guard(what,
                [this](int64_t from, double factor) {
                    courses.emplace_back(from, factor);
                    rate *= factor;
                }),
          run({.program = "test",
               .checkpoint = dir / "run.safetensors",
               .log = dir / "run.csv",
               .steps = steps,
               .checkpoint_every = 2,
               .good = what == OnCollapse::rollback ? dir / "good.safetensors" : "",
               .is_good = [this] { return guard.is_good(); },
               .quiet = true},
              {{"count"}}) {
        run.add("count", count);
        run.add("rate", rate);
        guard.add_to(run);
        run.begin();
        guard.begin();
    }
    int go() {
        return run.loop([this] {
            ++count;
            run.log({static_cast<double>(count)});
            guard.report(run, problem(count));
        });
    }

    std::function<std::string(int64_t)> problem;
    int64_t count = 0;
    double rate = 1;
    std::vector<std::pair<int64_t, double>> courses;  // what the guard asked for
    CollapseGuard guard;
    Run run;
};

std::string bad_from_5(int64_t count) { return count >= 5 ? "all alike" : ""; }

TEST_CASE("CollapseGuard: a warning lets the run go on", "[train]") {
    const ScratchFolder dir;
    Guarded g(dir, OnCollapse::warn, 10, bad_from_5);
    CHECK(g.go() == 0);
    CHECK(g.count == 10);
    CHECK(!g.guard.is_good());
    CHECK(g.courses.empty());
}

TEST_CASE("CollapseGuard: stops at the second bad check in a row, not at one", "[train]") {
    const ScratchFolder dir;
    Guarded alternating(dir, OnCollapse::stop, 10, [](int64_t i) { return i % 2 == 0 ? "once" : ""; });
    CHECK(alternating.go() == 0);
    const ScratchFolder other;
    Guarded g(other, OnCollapse::stop, 10, bad_from_5);
    CHECK(g.go() == Run::kStopped);
    CHECK(g.count == 6);
}

TEST_CASE("CollapseGuard: goes back to the last good state with half the rate", "[train]") {
    const ScratchFolder dir;
    Guarded g(dir, OnCollapse::rollback, 10, bad_from_5);
    g.problem = [&](int64_t count) { return g.courses.empty() ? bad_from_5(count) : std::string(); };
    CHECK(g.go() == 0);
    CHECK(g.count == 10);  // it took the steps from 4 on twice, and counts from there
    CHECK(g.courses == std::vector<std::pair<int64_t, double>>{{6, 0.5}});
    CHECK(g.rate == 0.5);
    CHECK(g.guard.is_good());
}

TEST_CASE("CollapseGuard: gives up after three rollbacks", "[train]") {
    const ScratchFolder dir;
    Guarded g(dir, OnCollapse::rollback, 10, bad_from_5);
    CHECK(g.go() == Run::kStopped);
    CHECK(g.courses.size() == 3);
    CHECK(g.rate == 0.5 * 0.5 * 0.5);
    CHECK(g.count == 6);
}

}  // namespace
}  // namespace lily::train
