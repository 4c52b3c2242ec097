// SPDX-License-Identifier: MIT
#include "framework/train/log.h"

#include <algorithm>

#include "framework/error.h"

namespace lily::train {

Log::Log(std::string path, std::vector<Column> columns)
    : path_(std::move(path)), columns_(std::move(columns)) {}

void Log::open(int64_t last, const StateDict& rows) {
    file_.reset();
    steps_.clear();
    values_.clear();
    if (!rows.empty()) {
        const auto count = static_cast<int64_t>(columns_.size());
        const auto steps = rows.find("steps"), values = rows.find("values");
        check(steps != rows.end() && steps->second.rank() == 1 && steps->second.dtype() == DType::i64 &&
                  values != rows.end() && values->second.dtype() == DType::f64 &&
                  values->second.shape() == Shape{steps->second.size(0), count},
              "[log] the checkpoint's history is not one of {} columns", count);
        steps_ = steps->second.to_vector<int64_t>();
        values_ = values->second.to_vector<double>();
        drop_after(last);
    } else if (last > 0 && !path_.empty()) {
        io::CsvLog::Rows kept;
        file_.emplace(io::CsvLog::resume(path_, header(), last, &kept));
        steps_ = std::move(kept.iterations);
        values_ = std::move(kept.values);
    }
    if (file_ || path_.empty()) return;
    file_.emplace(path_, header());
    for (size_t i = 0; i < size(); ++i)
        file_->row(steps_[i], std::span(values_).subspan(i * columns_.size(), columns_.size()));
}

StateDict Log::state_dict() const {
    if (steps_.empty()) return {};
    const auto rows = static_cast<int64_t>(size());
    return {{"steps", from_vector(steps_, {rows})},
            {"values", from_vector(values_, {rows, static_cast<int64_t>(columns_.size())})}};
}

std::vector<std::string> Log::header() const {
    std::vector<std::string> names = {"iteration"};
    for (const Column& column : columns_) names.push_back(column.name);
    return names;
}

void Log::row(int64_t step, std::span<const double> values) {
    check(values.size() == columns_.size(), "[log] expected {} numbers, got {}", columns_.size(),
          values.size());
    if (file_) file_->row(step, values);
    steps_.push_back(step);
    values_.insert(values_.end(), values.begin(), values.end());
}

void Log::drop_after(int64_t last) {
    const auto kept = std::upper_bound(steps_.begin(), steps_.end(), last) - steps_.begin();
    steps_.resize(static_cast<size_t>(kept));
    values_.resize(steps_.size() * columns_.size());
}

void Log::rewind(int64_t last) {
    drop_after(last);
    if (!file_) return;
    file_.reset();
    file_.emplace(io::CsvLog::resume(path_, header(), last));
}

void Log::sync() {
    if (file_) file_->sync();
}

size_t Log::index(const std::string& column) const {
    for (size_t i = 0; i < columns_.size(); ++i)
        if (columns_[i].name == column) return i;
    fail("[log] there is no column {}", io::in_quotes(column));
}

double Log::last(const std::string& column) const {
    check(!steps_.empty(), "[log] there is no row yet");
    return values_[values_.size() - columns_.size() + index(column)];
}

std::string Log::progress_text() const {
    std::string text;
    for (const Column& c : columns_)
        if (!c.label.empty() && !steps_.empty())
            text += fmt::format("{}{} {}", text.empty() ? "" : "  ", c.label,
                                fmt::format(fmt::runtime(c.format), last(c.name)));
    return text;
}

io::PlotSeries Log::series(const std::string& column, const std::string& name, size_t most) const {
    const size_t which = index(column), piece = std::max<size_t>(1, (size() + most - 1) / most);
    io::PlotSeries series{name, {}, {}};
    for (size_t begin = 0; begin < size(); begin += piece) {
        const size_t end = std::min(begin + piece, size());
        double sum = 0;
        for (size_t i = begin; i < end; ++i) sum += values_[i * columns_.size() + which];
        series.xs.push_back(static_cast<double>(steps_[end - 1]));
        series.ys.push_back(sum / static_cast<double>(end - begin));
    }
    return series;
}

}  // namespace lily::train
