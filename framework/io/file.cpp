// SPDX-License-Identifier: MIT
#include "framework/io/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>

#include "framework/error.h"

namespace lily::io {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_to_read(const std::string& path, int error) {
    fail("cannot read {}: {}", in_quotes(path), std::strerror(error));
}

class ReadDescriptor {
  public:
    explicit ReadDescriptor(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (fd_ < 0) fail_to_read(path, errno);
    }
    ~ReadDescriptor() { ::close(fd_); }
    ReadDescriptor(const ReadDescriptor&) = delete;
    ReadDescriptor& operator=(const ReadDescriptor&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

// A rename is on disk only when its folder is. Some file systems cannot fsync a folder: not an error.
void sync_folder(const fs::path& file) {
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    ::fsync(fd);
    ::close(fd);
}

constexpr int kFirstFree = STDERR_FILENO + 1;

// Where a standard stream was closed, a file that is opened takes its number, and gets what is printed.
int not_a_stream(int fd) {
    if (fd < 0 || fd >= kFirstFree) return fd;
    const int other = ::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFree);
    const int error = errno;
    ::close(fd);
    errno = error;
    return other;
}

// The name that a new file at `path` would get: `path`, or where its links lead.
std::string follow_links(const std::string& path) {
    constexpr int kMostLinks = 40;  // Linux's own limit; stat has told of a loop already
    fs::path at(path);
    std::error_code error;
    for (int i = 0; i < kMostLinks && fs::is_symlink(at, error); i++) {
        const fs::path to = fs::read_symlink(at, error);
        if (error) break;
        at = at.parent_path() / to;  // an absolute `to` replaces all
    }
    return at.string();
}

// ".NAME.tmp-", of the temporary files of `target`: PID and a number follow. NAME is cut where the whole
// would be too long for the file system.
std::string temporary_prefix(const fs::path& target) {
    const std::string most_digits = fmt::format("-{}", std::numeric_limits<int>::max());
    const std::string ending = ".tmp";
    const std::string longest = ending + most_digits + most_digits;
    const std::string name =
        cut_to_fit(target.parent_path().string(), "." + target.filename().string(), longest);
    return name.substr(0, name.size() - longest.size()) + ending + "-";
}

// The process that a temporary file of this prefix belongs to; 0: it is another file.
pid_t owner_of(const std::string& name, const std::string& prefix) {
    if (!name.starts_with(prefix)) return 0;
    pid_t pid = 0;
    const char* end = name.data() + name.size();
    const auto after_pid = std::from_chars(name.data() + prefix.size(), end, pid);
    if (after_pid.ec != std::errc() || after_pid.ptr == end || *after_pid.ptr != '-') return 0;
    int number = 0;
    const auto after_number = std::from_chars(after_pid.ptr + 1, end, number);
    return after_number.ec == std::errc() && after_number.ptr == end ? pid : 0;
}

// Removes what processes left behind that were killed while they wrote `target`. A writer holds a lock: its
// process may be another container's or another machine's, and so look dead.
void remove_leftovers(const fs::path& target, const std::string& prefix) {
    const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const pid_t owner = owner_of(entry->path().filename().string(), prefix);
        if (owner <= 0 || ::kill(owner, 0) == 0 || errno != ESRCH) continue;
        const int fd = ::open(entry->path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0) continue;
        struct stat info {};
        if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && ::flock(fd, LOCK_EX | LOCK_NB) == 0)
            ::unlink(entry->path().c_str());
        ::close(fd);
    }
}

}  // namespace

std::string cut_to_fit(const std::string& folder, std::string name, const std::string& ending) {
    constexpr size_t kUsual = 255;
    const long limit = ::pathconf(folder.empty() ? "." : folder.c_str(), _PC_NAME_MAX);
    const size_t most = limit > 0 ? static_cast<size_t>(limit) : kUsual;
    if (name.size() + ending.size() > most) {
        size_t kept = most - std::min(most, ending.size());
        const auto is_inside_character = [&] {
            return (static_cast<unsigned char>(name[kept]) & 0xc0) == 0x80;
        };
        while (kept > 0 && is_inside_character()) --kept;  // UTF-8
        name.resize(kept);
    }
    return name + ending;
}

std::string in_quotes(std::string_view text) {
    constexpr size_t kLongest = 200;
    std::string out = "'";
    const bool cut = text.size() > kLongest;
    for (const char c : cut ? text.substr(0, kLongest) : text) {
        const auto u = static_cast<unsigned char>(c);
        if (u < 0x20 || u == 0x7f)
            out += fmt::format("\\x{:02x}", u);
        else
            out += c;
    }
    return out + (cut ? "...'" : "'");
}

bool exists(const std::string& path) {
    std::error_code none;
    return fs::exists(path, none);
}

void make_folder(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    check(!error, "cannot make the folder {}: {}", in_quotes(path), error.message());
}

std::string extension_of(const std::string& path) {
    std::string extension = fs::path(path).extension().string();
    for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return extension;
}

std::vector<std::byte> read_file(const std::string& path, size_t max_bytes) {
    const ReadDescriptor file(path);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) fail_to_read(path, errno);

    // One byte more than the file has, so that its end shows without growing; a pipe says 0 and grows.
    const size_t expected = S_ISREG(info.st_mode) ? static_cast<size_t>(info.st_size) : 0;
    check(expected <= max_bytes, "{} is too large: {} bytes, at most {} are read", in_quotes(path), expected,
          max_bytes);
    std::vector<std::byte> bytes(expected + 1);
    size_t used = 0;
    for (;;) {
        if (used == bytes.size()) bytes.resize(bytes.size() * 2 + 4096);
        const ssize_t n = ::read(file.get(), bytes.data() + used, bytes.size() - used);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail_to_read(path, errno);
        if (n == 0) break;
        used += static_cast<size_t>(n);
        check(used <= max_bytes, "{} is too large: at most {} bytes are read", in_quotes(path), max_bytes);
    }
    bytes.resize(used);
    return bytes;
}

MappedFile::MappedFile(const std::string& path) {
    const ReadDescriptor file(path);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) fail_to_read(path, errno);
    if (S_ISDIR(info.st_mode)) fail_to_read(path, EISDIR);
    check(S_ISREG(info.st_mode), "cannot read {}: not a regular file", in_quotes(path));
    size_ = static_cast<size_t>(info.st_size);
    if (size_ == 0) return;  // mmap refuses an empty range
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
    if (data_ == MAP_FAILED) fail_to_read(path, errno);
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(data_, size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

Destination::Destination(const std::string& path) : path_(path), target_(path) {
    check(!path.empty(), "cannot write a file without a name");
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        if (errno != ENOENT) fail_errno(errno);
        target_ = follow_links(path);
        const fs::path folder = fs::path(target_).parent_path();
        std::error_code ignored;
        check(folder.empty() || fs::exists(folder, ignored), "cannot write {}: the folder {} does not exist",
              in_quotes(path), in_quotes(folder.string()));
        return;
    }
    if (S_ISDIR(info.st_mode)) fail_errno(EISDIR);
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
        struct stat other {};
        if (::fstat(stream, &other) == 0 && other.st_dev == info.st_dev && other.st_ino == info.st_ino)
            stream_ = stream;
    }
    if (stream_ >= 0) return;
    if (::access(path.c_str(), W_OK) != 0) fail_errno(errno);
    is_device_ = !S_ISREG(info.st_mode);
    if (is_device_) return;
    replaced_mode_ = info.st_mode & 07777;
    std::error_code error;
    target_ = fs::canonical(path, error).string();
    if (error) fail_errno(error.value());
    check_replaceable(info.st_uid);
}

// What rename would say at the end: in a folder like /tmp a file of somebody else stays, writable or not.
void Destination::check_replaceable(unsigned owner) const {
    struct stat folder {};
    const uid_t me = ::geteuid();
    if (::stat(fs::path(target_).parent_path().c_str(), &folder) != 0) fail_errno(errno);
    if ((folder.st_mode & S_ISVTX) != 0 && me != 0 && me != owner && me != folder.st_uid) fail_errno(EPERM);
}

int Destination::open_in_place(int flags) const {
    const int fd = stream_ >= 0 ? ::fcntl(stream_, F_DUPFD_CLOEXEC, kFirstFree)
                                : not_a_stream(::open(target_.c_str(), O_WRONLY | O_CLOEXEC | flags, 0666));
    if (fd < 0) fail_errno(errno);
    return fd;
}

void Destination::fail_errno(int error) const {
    fail("cannot write {}: {}", in_quotes(path_), std::strerror(error));
}

AtomicFile::AtomicFile(const std::string& path) : to_(path) {
    if (!to_.is_replaceable()) {
        fd_ = to_.open_in_place();
        return;
    }
    const fs::path final_path(to_.target());
    const std::string prefix = temporary_prefix(final_path);
    remove_leftovers(final_path, prefix);
    static std::atomic<int> counter{0};
    do {
        temporary_ =
            (final_path.parent_path() / fmt::format("{}{}-{}", prefix, ::getpid(), counter++)).string();
        fd_ = not_a_stream(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    } while (fd_ < 0 && errno == EEXIST);
    if (fd_ < 0) to_.fail_errno(errno);
    ::flock(fd_, LOCK_EX | LOCK_NB);  // see remove_leftovers; a file system without locks does without
    if (to_.replaced_mode()) ::fchmod(fd_, *to_.replaced_mode());  // a replaced file keeps its permissions
}

AtomicFile::~AtomicFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(Bytes bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) to_.fail_errno(errno);
        bytes = bytes.subspan(static_cast<size_t>(n));
    }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::sync() {
    if (::fsync(fd_) != 0 && errno != EINVAL && errno != EROFS) to_.fail_errno(errno);  // EINVAL: a pipe
}

void AtomicFile::commit() {
    sync();
    if (!temporary_.empty() && ::rename(temporary_.c_str(), to_.target().c_str()) != 0) to_.fail_errno(errno);
    const int fd = std::exchange(fd_, -1);  // renamed: nothing left for the destructor to remove
    if (::close(fd) != 0 && errno != EINTR) to_.fail_errno(errno);
    if (!temporary_.empty()) sync_folder(to_.target());
}

void write_file_atomically(const std::string& path, Bytes bytes) {
    AtomicFile file(path);
    file.write(bytes);
    file.commit();
}

void write_file_atomically(const std::string& path, std::string_view text) {
    write_file_atomically(path, std::as_bytes(std::span(text)));
}

void write_file_atomically(const std::string& path, const std::function<void(AtomicFile&)>& writer) {
    AtomicFile file(path);
    writer(file);
    file.commit();
}

std::string written_path(const std::string& path) {
    std::error_code ignored;
    return fs::weakly_canonical(follow_links(path), ignored).string();
}

void finish_stdout() {
    errno = 0;
    const bool flushed = std::fflush(stdout) == 0;
    check(flushed && std::ferror(stdout) == 0, "cannot write to stdout: {}", std::strerror(errno));
}

void check_writable(const std::string& path) {
    // A named pipe must not be opened for a look: its reader would take the close for the end.
    if (!Destination(path).is_replaceable()) return;
    AtomicFile probe(path);
    constexpr std::array<std::byte, 4096> kPage{};
    probe.write(kPage);  // a full disk and a quota have room for names
    probe.sync();
}

}  // namespace lily::io
