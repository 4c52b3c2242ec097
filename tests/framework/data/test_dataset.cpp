// SPDX-License-Identifier: MIT
#include "framework/data/dataset.h"

#include "framework/io/gif.h"
#include "framework/io/image.h"
#include "tests/framework/data/idx_bytes.h"
#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::data {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using io::error_of;
using io::ScratchFolder;

void write(const std::string& path, const std::string& bytes) {
    fs::create_directories(fs::path(path).parent_path());
    io::write_file_atomically(path, std::string_view(bytes));
}

void write_png(const std::string& path, int side, int channels, uint8_t fill) {
    fs::create_directories(fs::path(path).parent_path());
    io::save_image(path, io::Image(side, side, channels, fill));
}

}  // namespace

TEST_CASE("dataset: MNIST's files by their names, both splits", "[data]") {
    const ScratchFolder folder;
    write(folder / "train-images-idx3-ubyte.gz", gzipped(idx_bytes({3, 1, 2}, "abcdef")));
    write(folder / "train-labels-idx1-ubyte", idx_bytes({3}, std::string("\x02\x00\x05", 3)));
    write(folder / "t10k-images.idx3-ubyte", idx_bytes({1, 1, 2}, "xy"));
    const Dataset train = load_mnist(folder / "");
    CHECK(train.count == 3);
    CHECK(train.channels == 1);
    CHECK(train.height == 1);
    CHECK(train.width == 2);
    CHECK(train.labels == std::vector<uint8_t>{2, 0, 5});
    CHECK(train.classes == 6);
    const Dataset test = load_mnist(folder / "", Split::test);
    CHECK(test.count == 1);
    CHECK(test.labels.empty());
    CHECK(test.classes == 0);
    CHECK(has_mnist(folder / "", Split::test));
    CHECK(load_folder(folder / "", 28).fingerprint() == train.fingerprint());
}

TEST_CASE("dataset: a folder with one pair of files is a training split", "[data]") {
    const ScratchFolder folder;
    write(folder / "images-idx3-ubyte.gz", gzipped(idx_bytes({2, 1, 1}, "ab")));
    write(folder / "labels-idx1-ubyte.gz", gzipped(idx_bytes({2}, std::string("\0\1", 2))));
    CHECK(load_folder(folder / "", 28).classes == 2);
    CHECK(!has_mnist(folder / "", Split::test));
}

TEST_CASE("dataset: EMNIST's files by their names, upright, letters from class 0", "[data]") {
    const bool letters = GENERATE(true, false);
    const std::string name =
        letters ? "letters" : GENERATE("balanced", "byclass", "bymerge", "digits", "mnist");
    const ScratchFolder folder;
    // abcdef column by column: rows ace and bdf.
    write(folder / ("emnist-" + name + "-train-images-idx3-ubyte.gz"),
          gzipped(idx_bytes({1, 3, 2}, "abcdef")));
    write(folder / ("emnist-" + name + "-train-labels-idx1-ubyte.gz"), gzipped(idx_bytes({1}, "\x1a")));
    write(folder / ("emnist-" + name + "-test-images-idx3-ubyte"), idx_bytes({1, 1, 2}, "xy"));
    const Dataset train = load_folder(folder / "", 28);
    CHECK(std::string(train.pixels.begin(), train.pixels.end()) == "acebdf");
    CHECK(train.height == 2);
    CHECK(train.width == 3);
    CHECK(int{train.labels.at(0)} == (letters ? 25 : 26));
    CHECK(train.classes == (letters ? 26 : 27));
    const Dataset test = load_mnist(folder / "", Split::test);
    CHECK(test.height == 2);
    CHECK(has_mnist(folder / "", Split::test));
}

TEST_CASE("dataset: several sets of EMNIST in a folder are named, and so are labels that are no letters",
          "[data]") {
    const ScratchFolder folder;
    write(folder / "emnist-letters-train-images-idx3-ubyte", idx_bytes({1, 1, 1}, "a"));
    write(folder / "emnist-letters-train-labels-idx1-ubyte", idx_bytes({1}, "\x1b"));
    CHECK_THAT(error_of([&] { load_folder(folder / "", 28); }), ContainsSubstring("has the label 27"));
    write(folder / "emnist-digits-train-images-idx3-ubyte", idx_bytes({1, 1, 1}, "a"));
    CHECK_THAT(error_of([&] { load_folder(folder / "", 28); }),
               ContainsSubstring("has 2 sets of EMNIST (digits, letters)"));
    write(folder / "train-images-idx3-ubyte", idx_bytes({1, 1, 1}, "a"));  // MNIST's own goes first
    CHECK(load_folder(folder / "", 28).count == 1);
}

TEST_CASE("dataset: files that do not fit together are named", "[data]") {
    const ScratchFolder folder;
    CHECK_THAT(error_of([&] { load_mnist(folder / ""); }),
               ContainsSubstring("has no train-images-idx3-ubyte"));
    CHECK_THAT(error_of([&] { load_mnist(folder / "none"); }), ContainsSubstring("there is no folder"));
    write(folder / "train-images-idx3-ubyte", idx_bytes({2, 3}, "abcdef"));
    CHECK_THAT(error_of([&] { load_mnist(folder / ""); }), ContainsSubstring("has 2 dimensions, expected 3"));
    CHECK_THAT(error_of([&] { load_mnist(folder / "train-images-idx3-ubyte"); }),
               ContainsSubstring("is not a folder"));
    write(folder / "train-images-idx3-ubyte", idx_bytes({2, 1, 3}, "abcdef"));
    write(folder / "train-labels-idx1-ubyte", idx_bytes({3}, "abc"));
    CHECK_THAT(error_of([&] { load_mnist(folder / ""); }), ContainsSubstring("has 3 labels"));
    write(folder / "train-labels-idx1-ubyte", idx_bytes({2, 1}, "ab"));
    CHECK_THAT(error_of([&] { load_mnist(folder / ""); }), ContainsSubstring("expected 1"));
}

TEST_CASE("dataset: the fingerprint sees pixels, labels and shape", "[data]") {
    Dataset set{.count = 2, .channels = 1, .height = 1, .width = 2, .pixels = {1, 2, 3, 4}, .labels = {0, 1}};
    const std::string before = set.fingerprint();
    CHECK(before.size() == 16);
    std::swap(set.height, set.width);
    CHECK(set.fingerprint() != before);
    std::swap(set.height, set.width);
    set.labels[1] = 0;
    CHECK(set.fingerprint() != before);
    set.labels[1] = 1;
    CHECK(set.fingerprint() == before);
    set.pixels[3] = 5;
    CHECK(set.fingerprint() != before);
}

TEST_CASE("dataset: folders of pictures are classes in the order of their names", "[data]") {
    const ScratchFolder folder;
    write_png(folder / "b/2.png", 8, 1, 20);
    write_png(folder / "b/1.png", 8, 1, 10);
    write_png(folder / "a/x.jpg", 16, 1, 200);
    write(folder / "a/notes.txt", "not a picture");
    fs::create_directories(folder / "empty");
    const Dataset set = load_folder(folder / "", 8);
    CHECK(set.count == 3);
    CHECK(set.classes == 2);
    CHECK(set.labels == std::vector<uint8_t>{0, 1, 1});
    CHECK(set.picture_size() == 64);
    CHECK(int{set.pixels[64]} == 10);
    CHECK(int{set.pixels[128 + 63]} == 20);
    CHECK(std::abs(int{set.pixels[0]} - 200) <= 2);
    write_png(folder / ".ipynb_checkpoints/1.png", 8, 1, 0);
    write(folder / "b/._1.png", "what macOS keeps beside a file");
    write(folder / "b/.DS_Store", "x");
    write(folder / "b/Thumbs.db", "x");
    write(folder / "._b", "x");
    write_png(folder / ".loose.png", 8, 1, 0);
    CHECK(load_folder(folder / "", 8).fingerprint() == set.fingerprint());
    CHECK(load_folder(folder / "", 8).classes == 2);
    write_png(folder / "loose.png", 8, 1, 0);
    CHECK_THAT(error_of([&] { load_folder(folder / "", 8); }),
               ContainsSubstring("both in sub-folders and beside"));
}

TEST_CASE("dataset: every kind of picture that is read is part of a folder", "[data]") {
    const ScratchFolder folder;
    write_png(folder / "0.png", 8, 1, 7);
    const std::string png = io::text_of(folder / "0.png");  // what is in a file counts, not its name
    int64_t count = 1;
    for (const char* name : {"1.jpg", "2.JPEG", "3.bmp", "4.tga", "5.gif", "6.webp", "7.tif", "8.TIFF"}) {
        write(folder / name, png);
        ++count;
    }
    CHECK(load_folder(folder / "", 8).count == count);
}

TEST_CASE("dataset: a folder's pictures may be of any format that is read", "[data]") {
    const ScratchFolder folder;
    io::save_gif(folder / "1.gif", {io::Image(4, 4, 1, 7), io::Image(4, 4, 1, 8)}, 10);
    write(folder / "2.BMP", io::bytes::bmp(1, 1, std::string(4, '\x09')));
    write_png(folder / "3.png", 4, 1, 10);
    const Dataset set = load_folder(folder / "", 4);
    CHECK(set.count == 3);
    CHECK(set.pixels[0] == 7);
    CHECK(set.pixels[16] == 9);
    CHECK(set.pixels[32] == 10);
    REQUIRE(set.remarks.size() == 1);
    CHECK_THAT(set.remarks[0], ContainsSubstring("1.gif': an animation: its first picture is taken"));
}

TEST_CASE("dataset: colours become grey, transparency white", "[data]") {
    const ScratchFolder folder;
    io::Image rgb(4, 4, 3);
    for (int i = 0; i < 16; ++i) rgb.pixels[static_cast<size_t>(3 * i)] = 100;  // red: 0.299 of it
    io::save_image(folder / "1.png", rgb);
    io::save_image(folder / "2.png", io::Image(4, 4, 4, 0));
    const Dataset set = load_folder(folder / "", 4);
    CHECK(set.labels.empty());
    CHECK(int{set.pixels[0]} == 30);
    CHECK(int{set.pixels[16]} == 255);
    const ScratchFolder empty;
    CHECK_THAT(error_of([&] { load_folder(empty / "", 4); }), ContainsSubstring("neither IDX files"));
}

}  // namespace lily::data
