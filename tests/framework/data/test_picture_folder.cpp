// SPDX-License-Identifier: MIT
#include "framework/data/picture_folder.h"

#include "framework/data/caption.h"
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

void write_png(const std::string& path, const io::Image& image) {
    fs::create_directories(fs::path(path).parent_path());
    io::save_image(path, image);
}

// Columns of 10, 20, 30 … in red, 0 in green, 255 in blue.
io::Image columns(int width, int height) {
    io::Image image(width, height, 3);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            image.at(y, x)[0] = static_cast<uint8_t>(10 * (x + 1));
            image.at(y, x)[2] = 255;
        }
    return image;
}

io::ReducedImage whole(io::Image image) {
    const int w = image.width, h = image.height;
    return {std::move(image), w, h, {0, 0, static_cast<double>(w), static_cast<double>(h)}};
}

}  // namespace

TEST_CASE("transforms: the middle part of the wanted proportions, planes of channels", "[data]") {
    const std::vector<uint8_t> got = to_shape(whole(columns(8, 4)), {3, 4, 4}, Fit::crop);
    REQUIRE(got.size() == 48);
    for (size_t p = 0; p < 16; ++p) {
        CHECK(int{got[p]} == 10 * static_cast<int>(p % 4 + 3));  // columns 2 to 5
        CHECK(int{got[16 + p]} == 0);
        CHECK(int{got[32 + p]} == 255);
    }
    const io::ReducedImage tall = crop_to_shape(whole(columns(2, 9)), 4, 6);
    CHECK(tall.box.top == 3);
    CHECK(tall.box.bottom == 6);
    CHECK(tall.box.left == 0);
    CHECK(tall.box.right == 2);
    CHECK(to_shape(whole(columns(4, 4)), {3, 4, 4}, Fit::crop) ==
          to_shape(whole(columns(4, 4)), {3, 4, 4}, Fit::stretch));
    CHECK(to_shape(whole(io::Image(7, 3, 1, 9)), {1, 2, 5}, Fit::stretch) == std::vector<uint8_t>(10, 9));
    for (const auto fit : {Fit::crop, Fit::stretch})  // one pixel, to one pixel
        CHECK(to_shape(whole(io::Image(1, 1, 4, 0)), {3, 1, 1}, fit) == std::vector<uint8_t>{255, 255, 255});

    std::vector<int> pixels = {1, 2, 3, 4, 5, 6};
    mirror(pixels.data(), {1, 2, 3});
    CHECK(pixels == std::vector<int>{3, 2, 1, 6, 5, 4});
    mirror(pixels.data(), {3, 1, 2});
    CHECK(pixels == std::vector<int>{2, 3, 6, 1, 4, 5});
}

TEST_CASE("transforms: grey, colours and transparency become the channels asked for", "[data]") {
    io::Image half(1, 1, 4);
    half.pixels = {200, 100, 0, 0};
    CHECK(to_channels(half, 3).pixels == std::vector<uint8_t>{255, 255, 255});
    CHECK(to_channels(half, 1).pixels == std::vector<uint8_t>{255});
    io::Image grey(1, 1, 1, 77);
    CHECK(to_channels(grey, 3).pixels == std::vector<uint8_t>{77, 77, 77});
    CHECK(to_channels(io::Image(1, 1, 2, 0), 3).pixels == std::vector<uint8_t>{255, 255, 255});
    io::Image red(1, 1, 3);
    red.pixels = {100, 0, 0};
    CHECK(to_channels(red, 1).pixels == std::vector<uint8_t>{30});  // 0.299 of it
    CHECK_THAT(error_of([&] { to_channels(red, 2); }), ContainsSubstring("1 or 3 channels, got 2"));
}

TEST_CASE("picture folder: grey, RGB and RGBA files side by side", "[data]") {
    const ScratchFolder folder;
    write_png(folder / "1.png", columns(8, 4));
    write_png(folder / "2.png", io::Image(4, 4, 1, 9));
    write_png(folder / "3.png", io::Image(6, 4, 4, 0));
    const Dataset set = load_picture_folder(folder / "", {.size = {3, 4, 4}});
    CHECK(set.count == 3);
    CHECK(set.size() == io::PictureSize{3, 4, 4});
    CHECK(set.pixels.size() == 3 * 48);
    CHECK(int{set.pixels[0]} == 30);
    CHECK(int{set.pixels[48]} == 9);
    CHECK(int{set.pixels[96]} == 255);
    CHECK(set.skipped.empty());
    CHECK(set.skipped_text().empty());
    CHECK_THAT(error_of([&] {
                   load_picture_folder(folder / "", {.size = {2, 4, 4}});
               }),
               ContainsSubstring("1 or 3 channels"));
}

TEST_CASE("picture folder: what cannot be read is listed and skipped", "[data]") {
    const ScratchFolder folder;
    for (int i = 0; i < 30; ++i)
        write_png(folder / fmt::format("{}/{:02}.png", i % 3, i),
                  io::Image(4, 4, 1, static_cast<uint8_t>(i)));
    const Dataset whole = load_folder(folder / "", 4);
    write(folder / "0/05.png", "\x89PNG\r\n\x1a\n and no more");
    write(folder / "1/broken.jpg", io::text_of(folder / "0/03.png").substr(0, 50));
    write(folder / "2/empty.webp", "");
    write(folder / "2/photo.HEIC", "of another kind");
    write(folder / "3/alone.png", "a page");  // a folder without a picture is no class
    write(folder / "0/notes.txt", "not a picture, and not meant as one");
    write(folder / "licence", "nor this");
    const Dataset set = load_folder(folder / "", 4);
    CHECK(set.pixels == whole.pixels);
    CHECK(set.labels == whole.labels);
    CHECK(set.classes == 3);
    REQUIRE(set.skipped.size() == 5);
    CHECK_THAT(set.skipped[0].path, ContainsSubstring("0/05.png"));
    CHECK_THAT(set.skipped[3].why, ContainsSubstring("pictures of this kind are not read"));
    CHECK_THAT(set.skipped_text(), ContainsSubstring("5 of 35 pictures are skipped, the first: '"));
    CHECK(set.skipped_text().find('\n') == std::string::npos);
    set.save_skipped(folder / "list.txt");
    const std::string list = io::text_of(folder / "list.txt");
    CHECK(std::count(list.begin(), list.end(), '\n') == 5);
    CHECK_THAT(list, ContainsSubstring("photo.HEIC\tpictures of this kind are not read\n"));

    const ScratchFolder bad;
    write(bad / "1.png", "a page");
    CHECK_THAT(error_of([&] { load_folder(bad / "", 4); }),
               ContainsSubstring("has no picture that can be read: 1 of 1 pictures is skipped: '"));
}

TEST_CASE("picture folder: pictures with captions, below any folder", "[data]") {
    const ScratchFolder folder;
    const auto pair = [&](const std::string& stem, uint8_t fill, const std::string& caption) {
        write_png(folder / (stem + ".png"), io::Image(4, 4, 3, fill));
        write(folder / (stem + ".txt"), caption);
    };
    pair("animals/birds/tit", 3, "A blue tit.\r\nfr.utf8=Une m\xc3\xa9sange\n");
    pair("animals/cat", 2, "\xef\xbb\xbf  A cat \t");
    pair("bottle", 1, "Gr\xc3\xbcne Flasche");
    pair("zero", 9, "\n");
    pair("latin", 9, "gr\xfcn");
    write_png(folder / "mute.png", io::Image(4, 4, 3, 9));
    fs::create_directory_symlink(folder / "animals", folder / "animals/birds/again");
    const PictureFolderOptions options{.size = {3, 4, 4}, .subfolders = Subfolders::flat, .captions = true};
    const Dataset set = load_picture_folder(folder / "", options);
    REQUIRE(set.count == 3);
    CHECK(set.captions == std::vector<std::string>{"A blue tit.", "A cat", "Gr\xc3\xbcne Flasche"});
    CHECK(int{set.pixels[0]} == 3);
    CHECK(int{set.pixels[96]} == 1);
    CHECK(set.labels.empty());
    REQUIRE(set.skipped.size() == 3);
    CHECK(set.skipped[0].why == "its caption is not UTF-8 at byte 2");
    CHECK(set.skipped[1].why == "it has no caption: there is no 'mute.txt'");
    CHECK(set.skipped[2].why == "its caption is empty");
    Dataset other = set;
    other.captions[1] = "A dog";
    CHECK(other.fingerprint() != set.fingerprint());
}

TEST_CASE("picture files: of kinds that are read, below a folder, in the order of their paths", "[data]") {
    const ScratchFolder folder;
    for (const char* name :
         {"b.png", "a/2.JPG", "a/1.webp", "a/notes.txt", "a/x.svg", ".hidden.png", ".d/y.png"})
        write(folder / name, "x");
    CHECK(picture_files(folder / ".") ==
          std::vector<std::string>{folder / "./a/1.webp", folder / "./a/2.JPG", folder / "./b.png"});
    CHECK(picture_files(folder / ".d").size() == 1);
    CHECK_THAT(error_of([&] { picture_files(folder / "none"); }), ContainsSubstring("there is no folder"));
}

TEST_CASE("captions: UTF-8 of one line, and nothing else", "[data]") {
    CHECK(parse_caption("a\xe2\x82\xac\xf0\x9f\x8c\xb8") == "a\xe2\x82\xac\xf0\x9f\x8c\xb8");
    CHECK(parse_caption("\t x \nsecond") == "x");
    CHECK(parse_caption(std::string(4096, 'x')).size() == 4096);
    CHECK_THAT(error_of([] { parse_caption(std::string(4097, 'x')); }), ContainsSubstring("4097 bytes"));
    CHECK_THAT(error_of([] { parse_caption(""); }), ContainsSubstring("empty"));
    // cut short, stray, too long a form, half of a pair, above the last character, zero
    for (const std::string bad : {"\xe2\x82", "\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                                  "\xf4\x90\x80\x80", "\xff", "\xf8\x88\x80\x80\x80"}) {
        CHECK_THAT(error_of([&] { parse_caption("ok " + bad); }), ContainsSubstring("not UTF-8 at byte 3"));
        CHECK_THAT(error_of([&] { parse_caption("ok " + bad + "x"); }),
                   ContainsSubstring("not UTF-8 at byte 3"));
    }
    CHECK_THAT(error_of([] { parse_caption(std::string("a\0b", 3)); }),
               ContainsSubstring("not UTF-8 at byte 1"));
}

}  // namespace lily::data
