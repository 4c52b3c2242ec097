// SPDX-License-Identifier: MIT
#include "framework/data/dataset.h"

#include <algorithm>
#include <filesystem>

#include "framework/data/idx.h"
#include "framework/data/picture_folder.h"
#include "framework/error.h"
#include "framework/io/fingerprint.h"

namespace lily::data {
namespace {

namespace fs = std::filesystem;
using io::in_quotes;

// The path of the first of these names in the folder, plain or .gz; empty: none.
std::string find_file(const std::string& folder, const std::vector<std::string>& names) {
    std::error_code none;
    for (const std::string& name : names)
        for (const char* ending : {"", ".gz"})
            if (const fs::path path = fs::path(folder) / (name + ending); fs::is_regular_file(path, none))
                return path.string();
    return "";
}

struct MnistFiles {
    std::string images, labels;
    std::string set = {};  // of EMNIST: "letters"
};

std::string dashed(const std::string& prefix, const char* what, int dimensions, char dot) {
    return fmt::format("{}{}{}idx{}-ubyte", prefix, what, dot, dimensions);
}

MnistFiles find_mnist(const std::string& folder, Split split) {
    const auto find = [&](const std::vector<std::string>& prefixes, std::string set) {
        std::vector<std::string> images, labels;
        for (const std::string& prefix : prefixes)
            for (const char dot : {'-', '.'}) {  // the files' names were once written with a dot
                images.push_back(dashed(prefix, "images", 3, dot));
                labels.push_back(dashed(prefix, "labels", 1, dot));
            }
        return MnistFiles{find_file(folder, images), find_file(folder, labels), std::move(set)};
    };
    const bool train = split == Split::train;
    MnistFiles found =
        find(train ? std::vector<std::string>{"train-", ""} : std::vector<std::string>{"t10k-"}, "");
    if (!found.images.empty()) return found;
    std::vector<std::string> sets;
    for (const char* set : {"balanced", "byclass", "bymerge", "digits", "letters", "mnist"}) {
        const MnistFiles emnist = find({fmt::format("emnist-{}-{}-", set, train ? "train" : "test")}, set);
        if (emnist.images.empty()) continue;
        found = emnist;
        sets.emplace_back(set);
    }
    check(sets.size() <= 1, "{} has {} sets of EMNIST ({}): move the files of one to a folder of their own",
          in_quotes(folder), sets.size(), fmt::join(sets, ", "));
    return found;
}

void check_folder(const std::string& folder) {
    std::error_code none;
    check(fs::exists(folder, none), "there is no folder {}", in_quotes(folder));
    check(fs::is_directory(folder, none), "{} is not a folder", in_quotes(folder));
}

// EMNIST has its pictures column by column: MNIST's transposed.
void turn_columns_to_rows(Dataset& set) {
    std::vector<uint8_t> turned(set.pixels.size());
    const int64_t w = set.height, h = set.width;  // of the picture that the file holds lying
    for (int64_t n = 0; n < set.count; ++n) {
        const uint8_t* columns = set.pixels.data() + n * w * h;
        uint8_t* rows = turned.data() + n * w * h;
        for (int64_t y = 0; y < h; ++y)
            for (int64_t x = 0; x < w; ++x) rows[y * w + x] = columns[x * h + y];
    }
    set.pixels = std::move(turned);
    set.height = h;
    set.width = w;
}

// EMNIST's letters are 1 (a, A) to 26.
void count_from_zero(std::vector<uint8_t>& labels, const std::string& path) {
    for (uint8_t& label : labels) {
        check(label >= 1 && label <= 26, "{} has the label {}, EMNIST's letters are 1 to 26", in_quotes(path),
              int{label});
        --label;
    }
}

}  // namespace

std::string Dataset::fingerprint() const {
    io::Fingerprint of;
    of.add(fmt::format("{} {} {} {}", count, channels, height, width));
    of.add(pixels.data(), pixels.size());
    of.add(labels.data(), labels.size());
    for (const std::string& caption : captions) of.add(caption + "\n");
    return of.text();
}

std::string Dataset::skipped_text() const {
    if (skipped.empty()) return "";
    const auto files = static_cast<int64_t>(skipped.size());
    return fmt::format("{} of {} pictures {} skipped{}: {}: {}", files, files + count,
                       files == 1 ? "is" : "are", files == 1 ? "" : ", the first", in_quotes(skipped[0].path),
                       skipped[0].why);
}

void Dataset::save_skipped(const std::string& path) const {
    std::string text;
    for (const Skipped& file : skipped) text += file.path + "\t" + file.why + "\n";
    io::write_file_atomically(path, std::string_view(text));
}

std::vector<int64_t> Dataset::spread(int64_t wanted) const {
    wanted = std::min(wanted, count);
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < wanted; ++i) indices.push_back(i * count / wanted);
    return indices;
}

bool has_mnist(const std::string& folder, Split split) { return !find_mnist(folder, split).images.empty(); }

Dataset load_mnist(const std::string& folder, Split split) {
    check_folder(folder);
    const MnistFiles files = find_mnist(folder, split);
    check(!files.images.empty(), "{} has no {}-images-idx3-ubyte(.gz), nor EMNIST's emnist-SET-{}-images-…",
          in_quotes(folder), split == Split::train ? "train" : "t10k",
          split == Split::train ? "train" : "test");
    IdxArray images = read_idx(files.images);
    check(images.shape.size() == 3, "{} has {} dimensions, expected 3 (count, height, width)",
          in_quotes(files.images), images.shape.size());
    Dataset set{.count = images.shape[0],
                .channels = 1,
                .height = images.shape[1],
                .width = images.shape[2],
                .pixels = std::move(images.values)};
    if (!files.set.empty()) turn_columns_to_rows(set);
    if (files.labels.empty()) return set;
    IdxArray labels = read_idx(files.labels);
    check(labels.shape.size() == 1, "{} has {} dimensions, expected 1", in_quotes(files.labels),
          labels.shape.size());
    check(labels.shape[0] == set.count, "{} has {} labels, {} has {} pictures", in_quotes(files.labels),
          labels.shape[0], in_quotes(files.images), set.count);
    set.labels = std::move(labels.values);
    if (files.set == "letters") count_from_zero(set.labels, files.labels);
    set.classes = int64_t{*std::max_element(set.labels.begin(), set.labels.end())} + 1;
    return set;
}

Dataset padded(const Dataset& set, int64_t height, int64_t width) {
    check(height >= set.height && width >= set.width, "[padded] expected at least {}x{}, got {}x{}",
          set.width, set.height, width, height);
    Dataset larger = set;
    if (height == set.height && width == set.width) return larger;
    larger.height = height;
    larger.width = width;
    larger.pixels.assign(static_cast<size_t>(set.count * larger.picture_size()), 0);
    const int64_t top = (height - set.height) / 2, left = (width - set.width) / 2;
    for (int64_t plane = 0; plane < set.count * set.channels; ++plane)
        for (int64_t row = 0; row < set.height; ++row)
            std::copy_n(set.pixels.data() + (plane * set.height + row) * set.width, set.width,
                        larger.pixels.data() + (plane * height + top + row) * width + left);
    return larger;
}

Dataset load_folder(const std::string& folder, int size) {
    if (has_mnist(folder, Split::train)) return load_mnist(folder);
    return load_picture_folder(folder, {.size = {1, size, size}, .fit = Fit::stretch});
}

}  // namespace lily::data
