// SPDX-License-Identifier: MIT
// A run's folder and its log.
#include "framework/train/run_folder.h"

#include <filesystem>
#include <fstream>

#include "tests/framework/io/io_test.h"

namespace lily::train {
namespace {

using io::error_of;
using io::ScratchFolder;

TEST_CASE("RunFolder: one process at a time, and no run on top of another", "[train]") {
    const ScratchFolder dir;
    {
        const RunFolder folder(dir / "run", false);
        CHECK(error_of([&] { RunFolder(dir / "run", true); }) ==
              fmt::format("another process is training in {}: wait for it, or name another folder",
                          io::in_quotes(dir / "run")));
        RunOptions options = folder.with_files({.steps = 3, .quiet = true});
        CHECK(options.resume.empty());
        Run run(options, {{"x"}});
        run.loop([&] { run.log({1.0}); });
    }
    CHECK(error_of([&] {
              RunFolder(dir / "run", false);
          }).find("holds a run already: go on with it by --resume") != std::string::npos);
    CHECK(RunFolder(dir / "run", true).with_files({}).resume == dir / "run/checkpoint.safetensors");
    std::filesystem::create_directories(dir / "tried/sheet.png");
    CHECK(error_of([&] {
              RunFolder(dir / "tried", false, {"grids/0.png", "sheet.png"});
          }).find("sheet.png': Is a directory") != std::string::npos);
    CHECK(std::filesystem::is_directory(dir / "tried/grids"));
    io::write_file_atomically(dir / "file", "");
    CHECK(error_of([&] { RunFolder(dir / "file/run", false); }).find("cannot make the folder") == 0);
}

TEST_CASE("RunFolder: a sheet holds the last picture, and others evenly", "[train]") {
    const ScratchFolder dir;
    const RunFolder folder(dir / "run", false);
    folder.save_sheet("grids", 100, folder / "sheet.png");
    CHECK(!std::filesystem::exists(dir / "run/sheet.png"));  // there is no series
    for (int i = 1; i <= 40; ++i)
        folder.save_picture("grids", 10 * i, io::Image(4, 3, 1, static_cast<uint8_t>(i)));
    folder.save_picture("grids", 5, io::Image(9, 9, 1, 200));  // of another size
    folder.save_sheet("grids", 300,
                      folder / "sheet.png");  // the run has gone back: what is later is another's
    const io::Image sheet = io::load_image(dir / "run/sheet.png");
    CHECK(sheet.width == 5 * 8 + 4);
    CHECK(sheet.height == 3 * 7 + 4);
    CHECK(*sheet.at(4 + 2 * 7, 4 + 4 * 8) == 30);
    CHECK(*sheet.at(4, 4) == 1);
}

TEST_CASE("Log: numbers on the way, and curves of as many points as are wanted", "[train]") {
    const ScratchFolder dir;
    Log log("", {{"epoch"}, {"d_loss", "D", "{:.3f}"}, {"g_loss", "G"}});
    CHECK(log.progress_text().empty());
    CHECK(error_of([&] { log.last("epoch"); }) == "[log] there is no row yet");
    log.open();
    for (int i = 1; i <= 10; ++i) log.row(i, std::vector{1.0, 0.5 * i, 1e-7 * i});
    CHECK(log.progress_text() == "D 5.000  G 1e-06");
    const io::PlotSeries curve = log.series("d_loss", "D", 5);
    CHECK(curve.xs == std::vector<double>{2, 4, 6, 8, 10});
    CHECK(curve.ys == std::vector<double>{0.75, 1.75, 2.75, 3.75, 4.75});
    CHECK(error_of([&] { log.row(11, std::vector{1.0}); }) == "[log] expected 3 numbers, got 1");
    CHECK(error_of([&] { log.series("loss", "x"); }) == "[log] there is no column 'loss'");
    Log copy("", {{"epoch"}, {"d_loss"}, {"g_loss"}});
    copy.open(7, log.state_dict());
    CHECK(copy.size() == 7);
    CHECK(copy.last("g_loss") == 1e-7 * 7);
    std::ofstream(dir / "bad.csv") << "iteration,x\n1,2\n2,three\n";
    Log bad(dir / "bad.csv", {{"x"}});
    CHECK(error_of([&] { bad.open(2); }) ==
          fmt::format("cannot continue the log {}: a row does not hold 2 numbers",
                      io::in_quotes(dir / "bad.csv")));
}

}  // namespace
}  // namespace lily::train
