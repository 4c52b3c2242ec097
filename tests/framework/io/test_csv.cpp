// SPDX-License-Identifier: MIT
#include "framework/io/csv.h"

#include <cstdlib>

#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

const std::vector<std::string> kColumns = {"iteration", "seconds", "total"};

TEST_CASE("CsvLog: every row is on disk at once, and numbers read back exactly", "[io][csv]") {
    const ScratchFolder dir;
    write_file_atomically(dir / "l.csv", "of an earlier run\n");
    CsvLog log(dir / "l.csv", kColumns);
    CHECK(text_of(dir / "l.csv") == "iteration,seconds,total\n");
    log.row(0, std::vector{0.5, 1.0 / 3});
    const std::string text = text_of(dir / "l.csv");
    CHECK(text.starts_with("iteration,seconds,total\n0,0.5,0.333"));
    CHECK(std::strtod(text.c_str() + text.rfind(',') + 1, nullptr) == 1.0 / 3);
    log.row(1, std::vector{1.0, std::nan("")});
    CHECK(text_of(dir / "l.csv").ends_with("\n1,1,nan\n"));
    CHECK(error_of([&] { log.row(2, std::vector{1.0}); }) ==
          "[csv] expected 2 values after the iteration, got 1");
}

TEST_CASE("CsvLog: a resumed run leaves every iteration once", "[io][csv]") {
    const ScratchFolder dir;
    const std::string path = dir / "l.csv";
    {
        CsvLog log(path, kColumns);
        for (int i = 0; i < 20; ++i) log.row(i, std::vector{i * 0.5, 2.0});
    }
    const std::string whole = text_of(path);
    std::ofstream(path, std::ios::app) << "20,1";  // killed in the middle of a row
    {
        CsvLog log = CsvLog::resume(path, kColumns, 9);
        for (int i = 10; i < 20; ++i) log.row(i, std::vector{i * 0.5, 2.0});
    }
    CHECK(text_of(path) == whole);

    { CsvLog::resume(path, kColumns, 1000); }
    CHECK(text_of(path) == whole);
    { CsvLog::resume(path, kColumns, -1); }
    CHECK(text_of(path) == "iteration,seconds,total\n");
    { CsvLog::resume(dir / "new.csv", kColumns, 5); }
    CHECK(text_of(dir / "new.csv") == "iteration,seconds,total\n");
}

TEST_CASE("CsvLog: stdout and devices are neither emptied nor read back", "[io][csv]") {
    const ScratchFolder dir;
    {
        const StdoutInto redirected(dir / "out");
        REQUIRE(::write(STDOUT_FILENO, "text\n", 5) == 5);
        CsvLog("/dev/stdout", kColumns).row(0, std::vector{1.0, 2.0});
        CsvLog::resume("/dev/stdout", kColumns, 0).row(1, std::vector{1.0, 2.0});
    }
    CHECK(text_of(dir / "out") == "text\niteration,seconds,total\n0,1,2\niteration,seconds,total\n1,1,2\n");
    CsvLog::resume("/dev/null", kColumns, 0).row(1, std::vector{1.0, 2.0});
}

TEST_CASE("CsvLog: a log does not become stdout where that is closed", "[io][csv]") {
    const ScratchFolder dir;
    write_file_atomically(dir / "l.csv", "of an earlier run\n");
    {
        const StdoutInto restored(dir / "out");
        ::close(STDOUT_FILENO);
        CsvLog log(dir / "l.csv", kColumns);
        log.row(0, std::vector{1.0, 2.0});
        std::fputs("printed", stdout);
        std::fflush(stdout);
        std::clearerr(stdout);
    }
    CHECK(text_of(dir / "l.csv") == "iteration,seconds,total\n0,1,2\n");
}

TEST_CASE("CsvLog: foreign files and bad paths", "[io][csv]") {
    const ScratchFolder dir;
    write_file_atomically(dir / "f", "a,b\n1,2\n");
    CHECK(error_of([&] { CsvLog::resume(dir / "f", kColumns, 5); }) ==
          "cannot continue the log '" + dir / "f" + "': its first line is not 'iteration,seconds,total'");
    CHECK(text_of(dir / "f") == "a,b\n1,2\n");
    write_file_atomically(dir / "g", "iteration,seconds,total\nx,2,3\n");
    CHECK(error_of([&] { CsvLog::resume(dir / "g", kColumns, 5); }).find("has no iteration") !=
          std::string::npos);
    CHECK(error_of([&] { CsvLog(dir / "f/l.csv", kColumns); }) ==
          "cannot write '" + dir / "f/l.csv" + "': Not a directory");
    CHECK(error_of([] { CsvLog("/dev/full", kColumns); }) ==
          "cannot write '/dev/full': No space left on device");
}

}  // namespace
}  // namespace lily::io
