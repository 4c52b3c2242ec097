// SPDX-License-Identifier: MIT
#include "framework/train/run.h"

#include <cmath>

#include "framework/autograd.h"
#include "framework/io/file.h"
#include "framework/io/save_somewhere.h"
#include "framework/ops/shape.h"
#include "framework/optim/flat_vector.h"
#include "framework/train/interrupt.h"
#include "kernels/common/out_of_memory.h"

namespace lily::train {
namespace {

const std::string kFormat = "run_format", kVersion = "2", kStep = "step", kHistory = "history";

// The name of the first tensor with infinite or NaN elements; empty: there is none.
std::string first_infinite(const StateDict& state) {
    const NoGrad no_grad;
    for (const auto& [name, tensor] : state)
        if (is_floating(tensor.dtype()) && tensor.numel() > 0 &&
            !std::isfinite(optim::abs_max(reshape(tensor, {tensor.numel()}))))
            return name;
    return "";
}

}  // namespace

Run::Run(RunOptions options, std::vector<Column> columns)
    : options_(std::move(options)), log_(options_.writes ? options_.log : "", std::move(columns)) {
    check(options_.steps >= 1, "[run] expected at least 1 step, got {}", options_.steps);
    check(options_.checkpoint_every >= 1, "[run] expected at least 1 step between checkpoints, got {}",
          options_.checkpoint_every);
}

void Run::add(const std::string& name, Stateful part) {
    check(!begun_, "[run] {} must be added before begin()", io::in_quotes(name));
    check(name != kHistory, "[run] {} is the log's name", io::in_quotes(name));
    for (const auto& [other, ignored] : parts_)
        check(other != name, "[run] there are two parts {}", io::in_quotes(name));
    parts_.emplace_back(name, std::move(part));
}

Log& Run::add_log(const std::string& path, std::vector<Column> columns) {
    check(!begun_, "[run] {} must be added before begin()", io::in_quotes(path));
    return *more_logs_.emplace_back(std::make_unique<Log>(options_.writes ? path : "", std::move(columns)));
}

void Run::diverge(const std::string& problem) const {
    throw Diverged(options_.calmer.empty() ? problem : fmt::format("{}; try {}", problem, options_.calmer));
}

io::Checkpoint Run::state() const {
    io::Checkpoint checkpoint;
    for (const auto& [name, part] : parts_) {
        const StateDict state = part.state_dict();
        if (part.must_be_finite)
            if (const std::string bad = first_infinite(state); !bad.empty())
                diverge(fmt::format("[run] {}.{} became infinite or NaN by step {}", name, bad, step_));
        checkpoint.put(name, state);
    }
    if (!log_.is_on_disk()) checkpoint.put(kHistory, log_.state_dict());
    if (describe_) describe_(checkpoint);
    checkpoint.put_settings(options_.program, settings());
    checkpoint.metadata[kFormat] = kVersion;
    checkpoint.put_integer(kStep, static_cast<uint64_t>(step_));
    return checkpoint;
}

const io::Checkpoint::Settings& Run::settings() const {
    if (!settings_) {
        settings_ = options_.settings;
        if (options_.more_settings) settings_->merge(options_.more_settings());
    }
    return *settings_;
}

void Run::write(const std::string& path, const io::Checkpoint& state) {
    if (!options_.writes) return;
    log_.sync();  // the rows first: a state without its history would be the worse loss
    for (const auto& log : more_logs_) log->sync();
    io::save_checkpoint(path, state);
}

void Run::save(const std::string& path) { write(path, settled_state()); }

io::Checkpoint Run::settled_state() {
    settle();
    return state();
}

void Run::require_format(const io::Checkpoint& checkpoint, const std::string& path) {
    const auto version = checkpoint.metadata.find(kFormat);
    check(version != checkpoint.metadata.end() && version->second == kVersion,
          "{} is a run of format {}, and this lilypad goes on with format {}: begin a new run",
          io::in_quotes(path), version == checkpoint.metadata.end() ? "1" : io::in_quotes(version->second),
          kVersion);
}

StateDict Run::load(const std::string& path, Parts parts) {
    const io::Checkpoint checkpoint = io::load_checkpoint(path);
    checkpoint.require_program(options_.program, path);
    require_format(checkpoint, path);
    checkpoint.require_settings(settings(), path, options_.difference);
    for (const auto& [name, part] : parts_)
        if (parts == Parts::all || part.rolls_back) part.load_state_dict(checkpoint.part_or_empty(name));
    step_ = static_cast<int64_t>(checkpoint.integer(kStep));
    return checkpoint.part_or_empty(kHistory);
}

void Run::save_checkpoint() {
    if (!options_.good.empty() && (options_.is_good() || !io::exists(options_.good))) save(options_.good);
    if (options_.checkpoint.empty()) return;
    save(options_.checkpoint);
    good_state_ = options_.checkpoint;
}

std::string Run::save_last(const std::string& path, const io::Checkpoint& last) {
    const RunOptions::Write write_last = [&](const std::string& to) { write(to, last); };
    if (options_.save_last) return options_.save_last(path, write_last);
    const io::SavedFile saved = io::save_somewhere(path, write_last);
    check(saved.problem.empty(), "{}", saved.problem);
    return saved.path;
}

std::string Run::save_more(bool diverged) const {
    const std::string where = options_.save_more && step_ > 0 ? options_.save_more(diverged) : "";
    return where.empty() ? "" : "; " + where;
}

// After an error: where the state is; empty: nowhere.
std::string Run::save_somewhere() {
    const std::string& path = options_.checkpoint.empty() ? options_.rescue : options_.checkpoint;
    if (path.empty() || !options_.writes || !is_whole_ || step_ == 0) return "";
    try {
        const io::Checkpoint last = settled_state();
        return io::save_somewhere(path, [&](const std::string& to) { write(to, last); }).path;
    } catch (const std::exception&) {  // the error before is the one to report
        return "";
    }
}

void Run::begin() {
    check(!begun_, "[run] begin() was called twice");
    StateDict history;
    if (!options_.resume.empty()) {
        history = load(options_.resume, Parts::all);
        good_state_ = options_.resume;
        check(options_.refuse_done ? step_ < options_.steps : step_ <= options_.steps,
              "{} has {} iterations done already; pass {}", io::in_quotes(options_.resume), step_,
              options_.longer);
    }
    log_.open(step_, history);
    for (const auto& log : more_logs_) log->open(step_);
    begun_ = true;
    if (step_ > 0) message(fmt::format("goes on after iteration {}", step_));
    if (step_ > 0 && log_.size() == 0)
        message("note: the log begins here; the rows before are in that of the resumed run");
    if (options_.save_first && (step_ == 0 || !options_.good.empty())) save_checkpoint();
}

void Run::message(const std::string& line) {
    if (bar_)
        bar_->message(line);
    else if (!options_.quiet)
        io::put(stderr, line + "\n");
}

void Run::log(const std::vector<double>& values) {
    log_late(true, [&values] { return values; });
}

void Run::log_late(bool ready, std::function<std::vector<double>()> values) {
    settle();
    late_row_.emplace(++step_, std::move(values));
    if (ready) settle();
    is_whole_ = true;
}

void Run::settle() {
    if (!late_row_) return;
    const auto [step, values] = *std::exchange(late_row_, std::nullopt);
    const std::vector<double> row = values();
    log_.row(step, row);
    for (const double value : row)
        if (!std::isfinite(value))
            diverge(fmt::format("[run] the losses became infinite or NaN at step {}: {}", step,
                                log_.progress_text()));
    if (bar_) bar_->update(step, log_.progress_text());
}

void Run::take_step(const std::function<void()>& step) {
    const int64_t before = step_;
    rolled_back_ = is_whole_ = false;
    step();
    if (rolled_back_) return;
    check(step_ == before + 1, "[run] expected one log() in a step, got {}", step_ - before);
    if (is_due(options_.checkpoint_every)) save_checkpoint();
}

bool Run::is_over() const {
    const int signal = options_.agree ? signal_ : interrupted;
    return step_ >= options_.steps || signal || !stopped_.empty() || !finished_.empty();
}

int Run::loop(const std::function<void()>& step) {
    if (!begun_) begin();
    bar_.emplace(options_.steps, io::ProgressOptions{.first = step_, .quiet = options_.quiet});
    heed_interrupts();
    io::Checkpoint last;
    std::string path;
    try {
        while (!is_over()) {
            take_step(step);
            if (options_.agree) signal_ = options_.agree(interrupted);
        }
        if (!options_.agree) signal_ = interrupted;
        settle();
        path = options_.checkpoint;
        if (path.empty() && (signal_ || !stopped_.empty())) path = options_.rescue;
        if (!path.empty()) last = state();
    } catch (const Diverged& error) {
        bar_->finish();
        const std::string state = good_state_.empty() ? "" : "; the last good state is in " + good_state_;
        throw Diverged(error.what() + save_more(true) + state);
    } catch (const std::exception& error) {
        bar_->finish();
        std::string saved = save_more(false);
        if (const std::string at = save_somewhere(); !at.empty())
            saved += (options_.resume_by_file ? "; to go on: --resume " : "; the checkpoint is ") + at;
        if (saved.empty() || (!options_.error_text && kernels::is_out_of_memory(error))) throw;
        fail("{}{}", options_.error_text ? options_.error_text(error) : error.what(), saved);
    }
    bar_->finish();
    if (!path.empty() && options_.writes) path = save_last(path, last);
    bar_.reset();  // what follows is said below it
    if (signal_ || !stopped_.empty())
        message(fmt::format("{} after iteration {}{}", signal_ ? "interrupted" : stopped_, step_,
                            path.empty()              ? ""
                            : options_.resume_by_file ? "; to go on: the same command with --resume " + path
                                                      : "; to go on: the same command with --resume"));
    else if (!finished_.empty())
        message(fmt::format("stops after iteration {}, {}", step_, finished_));
    return signal_ ? 128 + signal_ : !stopped_.empty() ? kStopped : 0;
}

void Run::roll_back(const std::function<void()>& change) {
    check(!options_.good.empty(), "[run] no good state is kept");
    settle();
    is_whole_ = false;
    load(options_.good, Parts::that_roll_back);
    if (change) change();
    is_whole_ = rolled_back_ = true;
    // Before the rows go: a checkpoint that is older than its logs can be resumed, a younger one cannot.
    if (!options_.checkpoint.empty()) save(options_.checkpoint);
    log_.rewind(step_);
    for (const auto& log : more_logs_) log->rewind(step_);
}

}  // namespace lily::train
