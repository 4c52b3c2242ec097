// SPDX-License-Identifier: MIT
#include "framework/train/run.h"

#include <cmath>
#include <filesystem>

#include "framework/autograd.h"
#include "framework/io/save_somewhere.h"
#include "framework/ops/shape.h"
#include "framework/optim/flat_vector.h"
#include "framework/train/interrupt.h"
#include "kernels/common/out_of_memory.h"

namespace lily::train {
namespace {

const std::string kFormat = "run_format", kVersion = "2", kStep = "step";

bool exists(const std::string& path) {
    std::error_code none;
    return std::filesystem::exists(path, none);
}

bool is_finite(const StateDict& state) {
    const NoGrad no_grad;
    for (const auto& [name, tensor] : state)
        if (is_floating(tensor.dtype()) && tensor.numel() > 0 &&
            !std::isfinite(optim::abs_max(reshape(tensor, {tensor.numel()}))))
            return false;
    return true;
}

}  // namespace

Run::Run(RunOptions options, std::vector<Column> columns)
    : options_(std::move(options)), log_(options_.log, std::move(columns)) {
    check(options_.steps >= 1, "[run] expected at least 1 step, got {}", options_.steps);
    check(options_.checkpoint_every >= 1, "[run] expected at least 1 step between checkpoints, got {}",
          options_.checkpoint_every);
}

void Run::add(const std::string& name, Stateful part) {
    check(!begun_, "[run] {} must be added before begin()", io::in_quotes(name));
    for (const auto& [other, ignored] : parts_)
        check(other != name, "[run] there are two parts {}", io::in_quotes(name));
    parts_.emplace_back(name, std::move(part));
}

Log& Run::add_log(const std::string& path, std::vector<Column> columns) {
    check(!begun_, "[run] {} must be added before begin()", io::in_quotes(path));
    return *more_logs_.emplace_back(std::make_unique<Log>(path, std::move(columns)));
}

void Run::diverge(const std::string& problem) const {
    throw Diverged(options_.calmer.empty() ? problem : fmt::format("{}; try {}", problem, options_.calmer));
}

io::Checkpoint Run::state() const {
    io::Checkpoint checkpoint;
    for (const auto& [name, part] : parts_) {
        const StateDict state = part.state_dict();
        if (part.must_be_finite && !is_finite(state))
            diverge(fmt::format("[run] {} became infinite or NaN by step {}", name, step_));
        checkpoint.put(name, state);
    }
    if (describe_) describe_(checkpoint);
    checkpoint.put_settings(options_.program, options_.settings);
    checkpoint.metadata[kFormat] = kVersion;
    checkpoint.put_integer(kStep, static_cast<uint64_t>(step_));
    return checkpoint;
}

void Run::write(const std::string& path, const io::Checkpoint& state) {
    log_.sync();  // the rows first: a state without its history would be the worse loss
    for (const auto& log : more_logs_) log->sync();
    io::save_checkpoint(path, state);
}

void Run::save(const std::string& path) { write(path, state()); }

void Run::load(const std::string& path) {
    const io::Checkpoint checkpoint = io::load_checkpoint(path);
    const auto version = checkpoint.metadata.find(kFormat);
    check(version != checkpoint.metadata.end() && version->second == kVersion,
          "{} is a run of format {}, and this lilypad goes on with format {}: begin a new run",
          io::in_quotes(path), version == checkpoint.metadata.end() ? "1" : io::in_quotes(version->second),
          kVersion);
    checkpoint.require_settings(options_.program, options_.settings, path);
    for (const auto& [name, part] : parts_) part.load_state_dict(checkpoint.part_or_empty(name));
    step_ = static_cast<int64_t>(checkpoint.integer(kStep));
}

void Run::save_checkpoint() {
    if (!options_.good.empty() && (options_.is_good() || !exists(options_.good))) save(options_.good);
    if (!options_.checkpoint.empty()) save(options_.checkpoint);
}

void Run::save_last(const io::Checkpoint& last) {
    const RunOptions::Write write_last = [&](const std::string& path) { write(path, last); };
    if (options_.save_last) return options_.save_last(options_.checkpoint, write_last);
    const io::SavedFile saved = io::save_somewhere(options_.checkpoint, write_last);
    check(saved.problem.empty(), "{}", saved.problem);
}

// After an error: where the state is; empty: nowhere.
std::string Run::save_somewhere() {
    if (options_.checkpoint.empty() || !is_whole_) return "";
    try {
        const io::Checkpoint last = state();
        return io::save_somewhere(options_.checkpoint, [&](const std::string& path) { write(path, last); })
            .path;
    } catch (const std::exception&) {  // the error before is the one to report
        return "";
    }
}

void Run::begin() {
    check(!begun_, "[run] begin() was called twice");
    if (!options_.resume.empty()) {
        load(options_.resume);
        check(step_ <= options_.steps, "{} has {} steps done already; pass {}",
              io::in_quotes(options_.resume), step_, options_.longer);
    }
    log_.open(step_, options_.resume_log);
    for (const auto& log : more_logs_) log->open(step_);
    begun_ = true;
    if (step_ > 0) message(fmt::format("goes on after iteration {}", step_));
    if (step_ == 0 || !options_.good.empty()) save_checkpoint();
}

void Run::message(const std::string& line) {
    if (bar_)
        bar_->message(line);
    else if (!options_.quiet)
        io::put(stderr, line + "\n");
}

void Run::log(const std::vector<double>& values) {
    log_.row(++step_, values);
    is_whole_ = true;
    for (const double value : values)
        if (!std::isfinite(value))
            diverge(fmt::format("[run] the losses became infinite or NaN at step {}: {}", step_,
                                log_.progress_text()));
    bar_->update(step_, log_.progress_text());
}

void Run::take_step(const std::function<void()>& step) {
    const int64_t before = step_;
    rolled_back_ = is_whole_ = false;
    step();
    if (rolled_back_) return;
    check(step_ == before + 1, "[run] expected one log() in a step, got {}", step_ - before);
    if (is_due(options_.checkpoint_every)) save_checkpoint();
}

int Run::loop(const std::function<void()>& step) {
    if (!begun_) begin();
    bar_.emplace(options_.steps, io::ProgressOptions{.first = step_, .quiet = options_.quiet});
    heed_interrupts();
    io::Checkpoint last;
    try {
        while (step_ < options_.steps && !interrupted && stopped_.empty()) take_step(step);
        if (!options_.checkpoint.empty()) last = state();
    } catch (const Diverged& error) {
        bar_->finish();
        if (options_.checkpoint.empty()) throw;
        throw Diverged(fmt::format("{}; the last good state is in {}", error.what(), options_.checkpoint));
    } catch (const std::exception& error) {
        bar_->finish();
        const std::string at = save_somewhere();
        if (at.empty() || kernels::is_out_of_memory(error)) throw;
        fail("{}; the checkpoint is {}", error.what(), at);
    }
    bar_->finish();
    if (!options_.checkpoint.empty()) save_last(last);
    if (!options_.quiet && (interrupted || !stopped_.empty()))
        io::put(stderr, fmt::format("{} after iteration {}; to go on: the same command with --resume\n",
                                    interrupted ? "interrupted" : stopped_, step_));
    return interrupted ? 128 + interrupted : !stopped_.empty() ? kStopped : 0;
}

void Run::roll_back(const std::function<void()>& change) {
    check(!options_.good.empty(), "[run] no good state is kept");
    is_whole_ = false;
    load(options_.good);
    if (change) change();
    is_whole_ = rolled_back_ = true;
    // Before the rows go: a checkpoint that is older than its logs can be resumed, a younger one cannot.
    if (!options_.checkpoint.empty()) save(options_.checkpoint);
    log_.rewind(step_);
    for (const auto& log : more_logs_) log->rewind(step_);
}

}  // namespace lily::train
