// SPDX-License-Identifier: MIT
#include "framework/io/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "framework/io/save_somewhere.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::StartsWith;

TEST_CASE("in_quotes keeps a message on one line", "[io][file]") {
    CHECK(in_quotes("a b.png") == "'a b.png'");
    CHECK(in_quotes("a\nb\x1b") == "'a\\x0ab\\x1b'");
    CHECK(in_quotes(std::string(5000, 'x')).size() < 220);
}

TEST_CASE("extension_of", "[io][file]") {
    CHECK(extension_of("a/b.c/PIC.JpG") == ".jpg");
    CHECK(extension_of("a.b/c").empty());
}

TEST_CASE("read_file reads files and pipes, and says why not", "[io][file]") {
    const ScratchFolder dir;
    const std::string text(100'000, 'q');
    write_file_atomically(dir / "f", text);
    CHECK(read_file(dir / "f").size() == text.size());
    CHECK(error_of([&] { read_file(dir / "f", 99'999); }) ==
          "'" + dir / "f" + "' is too large: 100000 bytes, at most 99999 are read");
    CHECK(error_of([&] { read_file(dir / "none"); }) ==
          "cannot read '" + dir / "none" + "': No such file or directory");
    CHECK(error_of([&] { read_file(dir / ""); }) == "cannot read '" + dir / "" + "': Is a directory");

    REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
    std::thread feeder([&] { std::ofstream(dir / "pipe") << text; });
    const auto bytes = read_file(dir / "pipe");
    feeder.join();
    CHECK(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == text);
}

TEST_CASE("MappedFile shows the bytes of a file and moves", "[io][file]") {
    const ScratchFolder dir;
    write_file_atomically(dir / "f", "hello");
    MappedFile a(dir / "f");
    MappedFile b(std::move(a));
    a = std::move(b);
    REQUIRE(a.bytes().size() == 5);
    CHECK(a.bytes()[4] == std::byte{'o'});
    write_file_atomically(dir / "empty", "");
    CHECK(MappedFile(dir / "empty").bytes().empty());
    CHECK(error_of([&] { MappedFile m(dir / "none"); }) ==
          "cannot read '" + dir / "none" + "': No such file or directory");
    CHECK(error_of([&] { MappedFile m("/dev/null"); }) == "cannot read '/dev/null': not a regular file");
    CHECK(error_of([&] { MappedFile m(dir / ""); }) == "cannot read '" + dir / "" + "': Is a directory");
}

TEST_CASE("AtomicFile appears whole or not at all", "[io][file]") {
    const ScratchFolder dir;
    write_file_atomically(dir / "f", "old");
    {
        AtomicFile file(dir / "f");
        file.write("new");
        CHECK(text_of(dir / "f") == "old");
    }  // no commit
    CHECK(text_of(dir / "f") == "old");
    CHECK(dir.listing() == "f");

    const std::function<void(AtomicFile&)> breaks = [](AtomicFile& file) {
        file.write("half");
        throw std::runtime_error("stop");
    };
    CHECK_THROWS_WITH(write_file_atomically(dir / "f", breaks), "stop");
    CHECK(text_of(dir / "f") == "old");
    CHECK(dir.listing() == "f");

    write_file_atomically(dir / "f", "new");
    CHECK(text_of(dir / "f") == "new");
    CHECK(dir.listing() == "f");
}

TEST_CASE("AtomicFile keeps permissions and follows links", "[io][file]") {
    const ScratchFolder dir;
    write_file_atomically(dir / "real", "1");
    REQUIRE(::chmod((dir / "real").c_str(), 0640) == 0);
    fs::create_symlink("real", dir / "link");
    write_file_atomically(dir / "link", "2");
    CHECK(fs::is_symlink(dir / "link"));
    CHECK(text_of(dir / "real") == "2");
    struct stat info {};
    REQUIRE(::stat((dir / "real").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0640);
    CHECK(dir.listing() == "link real");

    // A link to a file that is not there yet makes that file.
    fs::create_symlink(dir / "new", dir / "absolute");
    write_file_atomically(dir / "absolute", "3");
    CHECK(fs::is_symlink(dir / "absolute"));
    CHECK(text_of(dir / "new") == "3");
    CHECK(written_path(dir / "absolute") == written_path(dir / "new"));
    fs::create_symlink("later", dir / "to_later");
    CHECK(written_path(dir / "to_later") == written_path(dir / "later"));
    fs::remove(dir / "to_later");
    fs::create_symlink("no/new", dir / "nowhere");
    CHECK(error_of([&] { check_writable(dir / "nowhere"); }) ==
          "cannot write '" + dir / "nowhere" + "': the folder '" + dir / "no" + "' does not exist");
    fs::create_symlink("loop", dir / "loop");
    CHECK(error_of([&] { check_writable(dir / "loop"); }) ==
          "cannot write '" + dir / "loop" + "': Too many levels of symbolic links");
    CHECK(dir.listing() == "absolute link loop new nowhere real");
}

TEST_CASE("what stdout writes to is written through it, not replaced", "[io][file]") {
    const ScratchFolder dir;
    {
        const StdoutInto redirected(dir / "out");
        REQUIRE(::write(STDOUT_FILENO, "a\n", 2) == 2);
        check_writable("/dev/stdout");
        write_file_atomically("/dev/stdout", "b\n");
        write_file_atomically(dir / "out", "c\n");  // the same file by its name
        REQUIRE(::write(STDOUT_FILENO, "d\n", 2) == 2);
    }
    CHECK(text_of(dir / "out") == "a\nb\nc\nd\n");
    CHECK(dir.listing() == "out");
}

TEST_CASE("a named pipe without a reader is looked at without waiting", "[io][file]") {
    const ScratchFolder dir;
    REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
    check_writable(dir / "pipe");
    const int reader = ::open((dir / "pipe").c_str(), O_RDONLY | O_NONBLOCK);
    REQUIRE(reader >= 0);
    write_file_atomically(dir / "pipe", "x");
    char got[2];
    CHECK(::read(reader, got, 2) == 1);
    ::close(reader);
    CHECK(fs::is_fifo(dir / "pipe"));

    // The link of an open pipe in /proc leads to no path.
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const std::string by_number = fmt::format("/dev/fd/{}", ends[1]);
    check_writable(by_number);
    write_file_atomically(by_number, "y");
    CHECK(::read(ends[0], got, 2) == 1);
    CHECK(got[0] == 'y');
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("unwritable paths are found early, and nothing stays behind", "[io][file]") {
    const ScratchFolder dir;
    write_file_atomically(dir / "f", "x");
    const std::string below_file = dir / "f/x.png";
    CHECK(error_of([&] { check_writable(below_file); }) ==
          "cannot write '" + below_file + "': Not a directory");
    CHECK(error_of([&] { check_writable(dir / ""); }) == "cannot write '" + dir / "" + "': Is a directory");
    CHECK(error_of([&] { check_writable(dir / "no/x.png"); }) ==
          "cannot write '" + dir / "no/x.png" + "': the folder '" + dir / "no" + "' does not exist");
    CHECK(error_of([&] { check_writable(dir / std::string(300, 'n')); }).find("File name too long") !=
          std::string::npos);
    CHECK(error_of([&] { check_writable(""); }) == "cannot write a file without a name");
    check_writable(dir / "new");
    check_writable(dir / "f");
    CHECK(text_of(dir / "f") == "x");
    CHECK(dir.listing() == "f");
}

TEST_CASE("a name as long as names may be is written; temporary names are cut", "[io][file]") {
    const ScratchFolder dir;
    const std::string longest = std::string(251, 'n') + ".png";
    std::string umlauts = "x";  // so that the cut falls into a character
    while (umlauts.size() + 2 <= 255) umlauts += "\xc3\xa4";
    for (const std::string& name : {longest, umlauts, std::string(230, 'a')}) {
        check_writable(dir / name);
        write_file_atomically(dir / name, "1");
        {
            const AtomicFile file(dir / name);
            for (const auto& entry : fs::directory_iterator(dir / "")) {
                const std::string at = entry.path().filename().string();
                CHECK(
                    (at == name || (at.size() <= 255 && at.starts_with(".") && at.find(".tmp-") != at.npos)));
                CHECK(fs::path(at).u32string().size() > 0);  // throws where half a character was left
            }
        }
        write_file_atomically(dir / name, "2");
        CHECK(text_of(dir / name) == "2");
        fs::remove(dir / name);
        CHECK(dir.listing().empty());
    }
    CHECK(cut_to_fit(dir / "", "short", ".checkpoint") == "short.checkpoint");
    CHECK(cut_to_fit(dir / "", longest, ".checkpoint") == std::string(244, 'n') + ".checkpoint");
    CHECK(cut_to_fit("", umlauts, "-2").size() == 255);
    CHECK(cut_to_fit("", umlauts, "-20").size() == 254);
}

TEST_CASE("what a killed process left beside a file goes with the next write", "[io][file]") {
    const ScratchFolder dir;
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    REQUIRE(::waitpid(child, nullptr, 0) == child);  // a process that is dead
    const auto put = [&](const std::string& name) { std::ofstream(dir / name) << "half"; };
    const std::string dead = fmt::format(".f.tmp-{}-3", child),
                      alive = fmt::format(".f.tmp-{}-7", ::getppid());
    for (const std::string& name :
         {dead, alive, fmt::format(".f.tmp-{}", child), fmt::format(".f.tmp-{}-3x", child),
          fmt::format(".g.tmp-{}-3", child), fmt::format("f.tmp-{}-3", child), std::string(".f.tmp-x-1")})
        put(name);
    const std::string locked = fmt::format(".f.tmp-{}-4", child);  // by a process that is not seen from here
    put(locked);
    const int fd = ::open((dir / locked).c_str(), O_RDWR);
    REQUIRE(::flock(fd, LOCK_EX) == 0);
    write_file_atomically(dir / "f", "whole");
    CHECK_FALSE(fs::exists(dir / dead));
    CHECK(fs::exists(dir / locked));
    ::close(fd);
    check_writable(dir / "f");
    CHECK_FALSE(fs::exists(dir / locked));
    CHECK(std::distance(fs::directory_iterator(dir / ""), fs::directory_iterator{}) == 7);
}

TEST_CASE("check_writable finds a disk that has no room", "[io][file]") {
    const ScratchFolder dir;
    struct rlimit before {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    struct rlimit small = before;
    small.rlim_cur = 1000;  // EFBIG where a disk would say ENOSPC
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const std::string said = error_of([&] { check_writable(dir / "f"); });
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, handler);
    CHECK(said == "cannot write '" + dir / "f" + "': File too large");
    CHECK(dir.listing().empty());
}

TEST_CASE("a file of somebody else in a folder like /tmp is refused early", "[io][file]") {
    if (::geteuid() != 0) SKIP("only root can make files of two users");
    const ScratchFolder dir;
    write_file_atomically(dir / "f", "x");
    REQUIRE(::chmod((dir / "f").c_str(), 0666) == 0);
    REQUIRE(::chown((dir / "f").c_str(), 12, 12) == 0);
    REQUIRE(::chmod((dir / "").c_str(), 01777) == 0);
    REQUIRE(::chown((dir / "").c_str(), 13, 13) == 0);
    REQUIRE(::seteuid(65534) == 0);
    const std::string said = error_of([&] { check_writable(dir / "f"); });
    const std::string fine = error_of([&] { check_writable(dir / "g"); });
    REQUIRE(::seteuid(0) == 0);
    CHECK(said == "cannot write '" + dir / "f" + "': Operation not permitted");
    CHECK(fine == "(no error)");
}

TEST_CASE("save_somewhere takes the working directory, then the temporary folder", "[io][file]") {
    const ScratchFolder dir, temporary;
    const fs::path before = fs::current_path();
    fs::create_directory(dir / "here");
    fs::current_path(dir / "here");
    const char* set = std::getenv("TMPDIR");
    const std::string old = set ? set : "";
    ::setenv("TMPDIR", (temporary / "").c_str(), 1);
    std::vector<std::string> tried;
    std::string refused;  // paths that begin so
    const auto save = [&](const std::string& path) {
        tried.push_back(path);
        if (!refused.empty() && path.starts_with(refused)) fail("no room in {}", path);
        write_file_atomically(path, "x");
    };
    CHECK(save_somewhere(dir / "a.png", save).problem.empty());
    refused = dir / "a.png";
    const SavedFile moved = save_somewhere(dir / "a.png", save);
    CHECK(fs::path(moved.path) == fs::path(dir / "here") / "a.png");
    CHECK(moved.problem == fmt::format("no room in {}; it is in '{}'", dir / "a.png", moved.path));
    CHECK(fs::path(save_somewhere(dir / "a.png", save).path).filename() == "a-2.png");  // nothing is replaced
    refused = dir / "";
    CHECK(fs::path(save_somewhere(dir / "a.png", save).path) == fs::path(temporary / "a.png"));
    refused = "/";
    CHECK(error_of([&] { save_somewhere(dir / "b.png", save); }) ==
          fmt::format("no room in {}; the working directory and the temporary folder did not take it either",
                      dir / "b.png"));
    CHECK(tried.size() >= 9);
    fs::current_path(before);
    set ? ::setenv("TMPDIR", old.c_str(), 1) : ::unsetenv("TMPDIR");
}

TEST_CASE("a full disk is an error; a device is written in place", "[io][file]") {
    REQUIRE(fs::is_character_file("/dev/full"));
    CHECK(error_of([] { write_file_atomically("/dev/full", "x"); }) ==
          "cannot write '/dev/full': No space left on device");
    write_file_atomically("/dev/null", "x");
    CHECK(fs::is_character_file("/dev/null"));
}

}  // namespace
}  // namespace lily::io
