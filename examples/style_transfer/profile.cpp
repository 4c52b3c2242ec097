// SPDX-License-Identifier: MIT
#include "examples/style_transfer/profile.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "framework/io/file.h"

namespace lily::style_transfer {

namespace {

// A convolution's weight (K,C,R,S) and its map (N,K,H,W), before a pooling that is part of it.
struct Convolution {
    Shape weight, map;
};
std::optional<Convolution> convolution(const ProfileRow& row) {
    if (!row.op.starts_with("conv2d") || !row.shapes || row.shapes->inputs.size() < 2) return {};
    Convolution c{row.shapes->inputs[1], row.shapes->output};
    if (c.weight.rank() != 4 || c.map.rank() != 4) return {};
    if (row.op.find("max_pool2d") != std::string::npos) c.map[2] *= 2, c.map[3] *= 2;
    return c;
}

// Multiplications and additions of one call by a convolution's definition, whatever the algorithm does: 2 per
// weight and output position. The gradient by the input has as many. 0: not a convolution.
double direct_flops(const ProfileRow& row) {
    const auto c = convolution(row);
    return c ? 2.0 * static_cast<double>(c->weight.numel() * c->map[0] * c->map[2] * c->map[3]) : 0;
}

// Calls of one kind, added up.
struct Sum {
    int64_t calls = 0;
    double seconds = 0, flops = 0;

    void add(const ProfileRow& row) {
        calls += row.calls;
        seconds += row.seconds;
        flops += direct_flops(row) * static_cast<double>(row.calls);
    }
    std::string rate() const {
        return fmt::format("{:8.1f} GFLOP/s", seconds > 0 ? flops / seconds / 1e9 : 0);
    }
};

}  // namespace

void RunProfile::check_length(const Settings& s, int64_t iterations) {
    check(s.profile.empty() || iterations > kLeftOut,
          "a profile leaves the first {} iterations out, and this run has {}; pass --iterations {} or more",
          kLeftOut, iterations, s.iterations - iterations + kLeftOut + 1);
}

void RunProfile::before_step() {
    if (s_.profile.empty()) return;
    profile_rest("output");  // of the step before
    if (done_++ == kLeftOut) profiler_.emplace(device_);
}

void RunProfile::stop() {
    if (!profiler_) return;
    profile_rest("output");
    rows_ = profiler_->rows();
    seconds_ = profiler_->seconds();
    profiler_.reset();
}

void RunProfile::finish(
    const std::function<void(const std::function<void(const std::string&)>& write)>& save) {
    if (s_.profile.empty()) return;
    if (done_ <= kLeftOut) return s_.say("no profile: the run ended before iteration {}", kLeftOut + 1);
    std::string text = "op,pass,shape,calls,seconds\n";
    for (const ProfileRow& row : rows_)
        text += fmt::format("{},{},{},{},{:.9f}\n", row.op, name(row.pass),
                            row.shapes ? row.shapes->text() : "", row.calls, row.seconds);
    say_ops();
    say_convolutions();
    save([&](const std::string& path) { io::write_file_atomically(path, text); });
}

void RunProfile::say_ops() const {
    std::map<std::string, Sum> sums;
    for (const ProfileRow& row : rows_)
        sums[row.pass == ProfilePass::other ? row.op : fmt::format("{} {}", row.op, name(row.pass))].add(row);
    std::vector<std::pair<std::string, Sum>> table(sums.begin(), sums.end());
    std::sort(table.begin(), table.end(),
              [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });

    const auto n = static_cast<double>(done_ - kLeftOut);
    const double total = seconds_;
    s_.say("profile of {} iterations, {:.2f} ms each:", done_ - kLeftOut, 1e3 * total / n);
    for (const auto& [what, sum] : table)
        s_.say("{:6.2f} %{:11.3f} ms{:6.4g} x  {}", 100 * sum.seconds / total, 1e3 * sum.seconds / n,
               static_cast<double>(sum.calls) / n,
               sum.flops > 0 ? fmt::format("{:28}{}", what, sum.rate()) : what);
}

// A line per shape of convolution in the order of the network: larger pictures first, then fewer channels.
void RunProfile::say_convolutions() const {
    using Place = std::array<int64_t, 7>;  // -positions, weight (K, C/groups, R, S), height, width
    struct Passes {
        Sum forward, backward;
    };
    std::map<Place, Passes> table;
    for (const ProfileRow& row : rows_) {
        const auto c = convolution(row);
        if (!c) continue;
        const Shape &w = c->weight, &y = c->map;
        Passes& passes = table[{-y[2] * y[3], w[0], w[1], w[2], w[3], y[2], y[3]}];
        (row.pass == ProfilePass::backward ? passes.backward : passes.forward).add(row);
    }
    const auto cell = [](const Sum& sum) {
        if (sum.calls == 0) return fmt::format("{:>29}", "-");
        return fmt::format("{:9.3f} ms {}", 1e3 * sum.seconds / static_cast<double>(sum.calls), sum.rate());
    };
    s_.say("{:36}{:>29}{:>29}", "convolution, one call", "forward", "backward");
    for (const auto& [place, passes] : table) {
        const auto& [positions, k, c, r, s, height, width] = place;
        const auto calls = static_cast<double>(std::max(passes.forward.calls, passes.backward.calls)) /
                           static_cast<double>(done_ - kLeftOut);
        s_.say("{:36}{}{}",
               fmt::format("{:.4g} x  {}x{}, {} -> {} at {}x{}", calls, r, s, c, k, height, width),
               cell(passes.forward), cell(passes.backward));
    }
}

}  // namespace lily::style_transfer
