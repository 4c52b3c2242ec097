// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lily::io {

using Bytes = std::span<const std::byte>;

// `text` in single quotes on one line, fit for an error message: control characters escaped, long names cut.
std::string in_quotes(std::string_view text);

// name + ending as a file's name; `name` loses its last characters where the file system of `folder` does not
// hold as many.
std::string cut_to_fit(const std::string& folder, std::string name, const std::string& ending);

// Whether something is there; false too where that cannot be known.
bool exists(const std::string& path);

// Makes a folder, and those that it lies in. Throws where that is not possible, or a file is in the way.
void make_folder(const std::string& path);

// The lower-case extension of a path with its dot (".png"), or "".
std::string extension_of(const std::string& path);

// The whole file. Works for pipes too; throws if there is more than max_bytes.
std::vector<std::byte> read_file(const std::string& path, size_t max_bytes = SIZE_MAX);

// A regular file mapped read-only. The pages are shared with every process that maps it, and load when
// touched.
class MappedFile {
  public:
    MappedFile() = default;
    explicit MappedFile(const std::string& path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;

    Bytes bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

  private:
    void* data_ = nullptr;
    size_t size_ = 0;
};

// What a path to be written to names: a regular file (there or not yet), which a writer replaces or empties;
// or something that is written in place: a device, a named pipe, or what stdout or stderr write to (which is
// /dev/stdout's target even where the shell redirected it to a file; not what another descriptor's /dev/fd/N
// is). Symbolic links are followed.
// Throws if nothing can be written there.
class Destination {
  public:
    explicit Destination(const std::string& path);

    bool is_replaceable() const { return stream_ < 0 && !is_device_; }
    const std::string& path() const { return path_; }                                // as the caller named it
    const std::string& target() const { return target_; }                            // with links resolved
    const std::optional<unsigned>& replaced_mode() const { return replaced_mode_; }  // of the file there now
    // A new descriptor that writes to what is there; `flags` as open(2)'s. A standard stream keeps its place.
    int open_in_place(int flags = 0) const;
    [[noreturn]] void fail_errno(int error) const;

  private:
    void check_replaceable(unsigned owner) const;

    std::string path_, target_;
    int stream_ = -1;  // stdout or stderr, if they write there already
    bool is_device_ = false;
    std::optional<unsigned> replaced_mode_;
};

// A file that appears under its name complete or not at all: written beside it under a temporary name, then
// fsync, rename, fsync of the folder. Without commit() the destructor removes the temporary file and what was
// there before stays. Only a killed process leaves one behind (".NAME.tmp-PID-N", NAME cut if that is too
// long); the next writer of the same file removes it.
// A Destination that cannot be replaced is written directly.
class AtomicFile {
  public:
    explicit AtomicFile(const std::string& path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(Bytes bytes);
    void write(std::string_view text);
    void sync();  // throws what only shows when the bytes reach the disk
    void commit();

    int descriptor() const { return fd_; }  // for a child process to write into
    const std::string& path() const { return to_.path(); }

  private:
    Destination to_;
    std::string temporary_;  // empty: written in place
    int fd_ = -1;
};

void write_file_atomically(const std::string& path, Bytes bytes);
void write_file_atomically(const std::string& path, std::string_view text);
void write_file_atomically(const std::string& path, const std::function<void(AtomicFile&)>& writer);

// The file that a write to `path` makes or changes, links followed: two options that name one file, say.
std::string written_path(const std::string& path);

// Throws unless all that was printed to stdout has got there.
void finish_stdout();

// Throws now what a later write to `path` would throw (no such folder, no permission, a full disk, ...), by
// writing 4 KB beside it; leaves no file.
void check_writable(const std::string& path);

}  // namespace lily::io
