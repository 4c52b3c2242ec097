// SPDX-License-Identifier: MIT
#include "framework/io/csv.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "framework/error.h"

namespace lily::io {
namespace {

std::string header_line(const std::vector<std::string>& columns) {
    return fmt::format("{}\n", fmt::join(columns, ","));
}

// ",1.5,2" onto `values`
void parse_values(const char* at, const char* end, size_t count, const std::string& path,
                  std::vector<double>& values) {
    for (size_t i = 0; i < count; ++i) {
        double value = 0;
        const auto [stop, error] = std::from_chars(std::min(at + 1, end), end, value);
        const bool whole = at < end && *at == ',' && error == std::errc() && (i + 1 < count || stop == end);
        check(whole, "cannot continue the log {}: a row does not hold {} numbers", in_quotes(path),
              count + 1);
        values.push_back(value);
        at = stop;
    }
}

}  // namespace

CsvLog::CsvLog(Destination to, size_t columns)
    : to_(std::move(to)), columns_(columns), fd_(to_.open_in_place(O_CREAT | O_APPEND)) {}

CsvLog::CsvLog(Destination to, const std::vector<std::string>& columns)
    : CsvLog(std::move(to), columns.size()) {
    if (to_.is_replaceable()) cut(0);
    write(header_line(columns));
}

CsvLog::CsvLog(const std::string& path, const std::vector<std::string>& columns)
    : CsvLog(Destination(path), columns) {}

CsvLog CsvLog::resume(const std::string& path, const std::vector<std::string>& columns, int64_t last,
                      Rows* rows) {
    Destination to(path);
    if (!to.replaced_mode()) return CsvLog(std::move(to), columns);  // no file there that could be read
    const std::vector<std::byte> bytes = read_file(path);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::string header = header_line(columns);
    check(text.starts_with(header), "cannot continue the log {}: its first line is not '{}'", in_quotes(path),
          fmt::join(columns, ","));
    size_t kept = header.size();
    for (size_t end = 0; (end = text.find('\n', kept)) != std::string_view::npos; kept = end + 1) {
        int64_t iteration = 0;
        const auto [stop, error] = std::from_chars(text.data() + kept, text.data() + end, iteration);
        check(error == std::errc() && *stop == ',',
              "cannot continue the log {}: the row at byte {} has no iteration", in_quotes(path), kept);
        if (iteration > last) break;
        if (rows == nullptr) continue;
        rows->iterations.push_back(iteration);
        parse_values(stop, text.data() + end, columns.size() - 1, path, rows->values);
    }
    CsvLog log(std::move(to), columns.size());
    log.cut(kept);
    return log;
}

CsvLog::~CsvLog() {
    if (fd_ >= 0) ::close(fd_);
}

CsvLog::CsvLog(CsvLog&& other) noexcept
    : to_(std::move(other.to_)), columns_(other.columns_), fd_(std::exchange(other.fd_, -1)) {}

void CsvLog::cut(size_t bytes) {
    if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) to_.fail_errno(errno);
}

void CsvLog::row(int64_t iteration, std::span<const double> values) {
    check(values.size() + 1 == columns_, "[csv] expected {} values after the iteration, got {}", columns_ - 1,
          values.size());
    write(
        fmt::format("{},{}\n", iteration, fmt::join(values, ",")));  // {}: the shortest text that reads back
}

void CsvLog::sync() {
    // A pipe or a terminal has no disk.
    if (::fdatasync(fd_) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP) to_.fail_errno(errno);
}

void CsvLog::write(const std::string& text) {
    size_t done = 0;
    while (done < text.size()) {
        const ssize_t n = ::write(fd_, text.data() + done, text.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) to_.fail_errno(errno);
        done += static_cast<size_t>(n);
    }
}

}  // namespace lily::io
