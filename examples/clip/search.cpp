// SPDX-License-Identifier: MIT
// clip search: the vectors of a folder's pictures are kept in a file, and only new pictures are looked at.
#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "examples/clip/commands.h"
#include "examples/clip/model.h"
#include "examples/common/saved_files.h"
#include "framework/autograd.h"
#include "framework/data/picture_folder.h"
#include "framework/data/transforms.h"
#include "framework/io/file.h"
#include "framework/io/fingerprint.h"
#include "framework/io/image_ops.h"
#include "framework/io/picture_grid.h"
#include "framework/io/tensors.h"
#include "framework/ops.h"

namespace lily::clip {
namespace {

using namespace lily::models;
namespace fs = std::filesystem;

// A picture's file as it was when its vector was computed: path below the folder, bytes, time of change.
struct File {
    std::string name;
    uintmax_t bytes = 0;
    int64_t changed = 0;

    auto operator<=>(const File&) const = default;
};

struct Index {
    std::vector<File> files;
    Tensor features;  // (files,E) f32
};

std::vector<File> files_below(const std::string& folder) {
    std::vector<File> files;
    for (const std::string& path : data::picture_files(folder)) {
        std::error_code none;
        const auto time = fs::last_write_time(path, none).time_since_epoch();
        files.push_back({fs::path(path).lexically_relative(folder).string(), fs::file_size(path, none),
                         std::chrono::duration_cast<std::chrono::nanoseconds>(time).count()});
    }
    return files;
}

// The file's vectors, or none: it is not there, damaged, or of another model.
Index load_index(const Machine& machine, const std::string& path, const std::string& model, int64_t numbers) {
    if (!fs::exists(path)) return {};
    try {
        const io::LoadedTensors loaded = io::load_tensors(path);
        if (loaded.metadata.at("model") != model) {
            machine.say("the index {} is another model's: it is made anew", path);
            return {};
        }
        Index index;
        for (const auto& row : nlohmann::json::parse(loaded.metadata.at("files")))
            index.files.push_back({row.at(0), row.at(1), row.at(2)});
        index.features = loaded.tensors.at("features");
        check(index.features.shape() == Shape{static_cast<int64_t>(index.files.size()), numbers},
              "wrong shape");
        return index;
    } catch (const std::exception&) {
        machine.say("the index {} cannot be read: it is made anew", path);
        return {};
    }
}

void save_index(const std::string& path, const std::string& model, const Index& index) {
    auto files = nlohmann::json::array();
    for (const File& file : index.files) files.push_back({file.name, file.bytes, file.changed});
    io::save_tensors(path, {{"features", index.features}}, {{"model", model}, {"files", files.dump()}});
}

// What the folder holds now: known vectors are taken over, the others computed.
Index renewed(const SearchSettings& s, Clip& model, const Index& known, size_t& computed) {
    std::map<File, int64_t> rows;
    for (const File& file : known.files) rows.emplace(file, static_cast<int64_t>(rows.size()));
    const std::vector<File> files = files_below(s.images);
    check(!files.empty(), "there are no pictures in {}", io::in_quotes(s.images));
    Index index;
    std::vector<std::string> paths;
    std::map<std::string, File> by_path;
    std::vector<int64_t> kept;
    for (const File& file : files) {
        if (const auto found = rows.find(file); found != rows.end()) {
            kept.push_back(found->second);
            index.files.push_back(file);
        } else {
            paths.push_back((fs::path(s.images) / file.name).string());
            by_path.emplace(paths.back(), file);
        }
    }
    std::vector<Tensor> parts;
    if (!kept.empty())
        parts.push_back(
            index_select(known.features, 0, from_vector(kept, {static_cast<int64_t>(kept.size())})));
    const Vectors fresh = vectors_of_files(s, model, paths);
    computed = fresh.names.size();
    for (const std::string& path : fresh.names) index.files.push_back(by_path.at(path));
    if (computed > 0) parts.push_back(fresh.features);
    check(!parts.empty(), "none of the pictures in {} can be read", io::in_quotes(s.images));
    index.features = parts.size() == 1 ? parts[0] : cat(parts, 0);
    return index;
}

io::Image sheet_of(const std::vector<std::string>& paths) {
    constexpr int kSide = 160, kColumns = 5;
    std::vector<io::Image> pictures;
    for (const std::string& path : paths) {
        io::ReducedImage picture = io::load_reduced_image(path, {.longest_side = kSide});
        const auto [width, height] = io::fit_longest_side(picture.width, picture.height, kSide);
        const io::Image small = data::to_channels(io::resize_image(picture, width, height), 3);
        io::Image cell(kSide, kSide, 3, 255);
        for (int y = 0; y < height; ++y)
            std::copy_n(small.at(y, 0), size_t{3} * static_cast<size_t>(width),
                        cell.at((kSide - height) / 2 + y, (kSide - width) / 2));
        pictures.push_back(std::move(cell));
    }
    return io::contact_sheet(pictures, std::min(kColumns, static_cast<int>(pictures.size())));
}

}  // namespace

int run(const SearchSettings& s) {
    if (!s.sheet.empty()) io::check_can_save_image(s.sheet);
    const std::string path =
        s.index.empty() ? (fs::path(s.images) / ".clip_index.safetensors").string() : s.index;
    const std::unique_ptr<Clip> model = open_model(s);
    const ClipTokenizer tokenizer = open_tokenizer(s.vocabulary, *model);
    const std::string fingerprint = io::fingerprint(model->state_dict());
    const NoGrad no_grad;
    const Index known = load_index(s, path, fingerprint, model->config.embed_dim);
    size_t computed = 0;
    const Index index = renewed(s, *model, known, computed);
    if (computed > 0 || index.files.size() != known.files.size()) save_index(path, fingerprint, index);
    const Tensor text = vectors_of_texts(*model, tokenizer, {s.text});

    const auto begin = std::chrono::steady_clock::now();
    const std::vector<float> cosine =
        matmul(text, Transposed::no, index.features, Transposed::yes).to_vector<float>();
    std::vector<size_t> order(cosine.size());
    std::iota(order.begin(), order.end(), 0);
    const size_t top = std::min(static_cast<size_t>(s.top), order.size());
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(),
        [&](size_t a, size_t b) { return cosine[a] != cosine[b] ? cosine[a] > cosine[b] : a < b; });
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    s.say("{} pictures, {} of them new; searched in {:.1f} ms", index.files.size(), computed, took.count());

    std::vector<std::string> found;
    for (size_t i = 0; i < top; ++i) {
        found.push_back((fs::path(s.images) / index.files[order[i]].name).string());
        fmt::print("{:.4f}  {}\n", cosine[order[i]], found.back());
    }
    io::finish_stdout();
    if (s.sheet.empty()) return 0;
    SavedFiles saved;
    const std::string at =
        saved.save(s.sheet, [&](const std::string& to) { io::save_image(to, sheet_of(found)); });
    saved.require_all_in_place();
    s.say("the sheet: {}", at);
    return 0;
}

}  // namespace lily::clip
