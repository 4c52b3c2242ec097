// SPDX-License-Identifier: MIT
#include "examples/stylegan/figure.h"

#include <algorithm>

#include "examples/common/saved_files.h"
#include "framework/ops.h"

namespace lily::stylegan {
namespace {

constexpr int64_t kNarrow = 2, kWide = 10;  // gaps, in pixels of the figure
constexpr int64_t kSeen = 96;               // pixels a side that a picture has at least, unless --zoom says

// Where place `i` of cells of so many pixels begins; that behind the last place is the figure's size.
int64_t begin_of(int64_t i, int64_t cell, const std::vector<int64_t>& wide_before) {
    const auto wide =
        std::count_if(wide_before.begin(), wide_before.end(), [i](int64_t w) { return w <= i; });
    return kNarrow + i * (cell + kNarrow) + wide * (kWide - kNarrow);
}

models::SampleOptions on_device(const FigureSettings& s) {
    models::SampleOptions options = s.sampling;
    options.device = s.choose();
    return options;
}

}  // namespace

io::PictureSize picture_size(const models::LoadedStyleGenerator& model) {
    return {model.generator->options().channels, model.growth.resolution, model.growth.resolution};
}

int zoom_of(int zoom, const io::PictureSize& size) {
    return zoom > 0 ? zoom : static_cast<int>(std::max<int64_t>(1, kSeen / size.width));
}

Figure::Figure(const FigureSettings& s, const Table& table)
    : s_((io::check_can_save_image(s.out), s)),
      table_(table),
      model_(models::load_style_generator(s.model)),
      sampler_(*model_.generator, model_.growth, on_device(s)),
      size_(picture_size(model_)),
      zoom_(zoom_of(s.zoom, size_)) {
    const int64_t width = begin_of(table_.columns, size_.width * zoom_, table_.wide_before_columns);
    const int64_t height = begin_of(table_.rows, size_.height * zoom_, table_.wide_before_rows);
    io::check_image_size(s.out, width, height, static_cast<int>(size_.channels));
    io::grid_size(1, {size_.channels, height, width}, 1);  // not more than a picture may have
    image_ = {static_cast<int>(width), static_cast<int>(height), static_cast<int>(size_.channels), 255};
}

void Figure::put(const Tensor& pictures, int64_t i, int64_t row, int64_t column) {
    const Tensor one = slice(pictures, 0, i, i + 1).reshape({1, size_.pixels()});
    const io::Image cell = io::sample_grid(one, size_, 1, zoom_);
    const auto x = static_cast<int>(begin_of(column, cell.width, table_.wide_before_columns));
    const auto y = static_cast<int>(begin_of(row, cell.height, table_.wide_before_rows));
    for (int line = 0; line < cell.height; ++line)
        std::copy_n(cell.at(line, 0), cell.width * cell.channels, image_.at(y + line, x));
}

void Figure::put_row(const Tensor& pictures, int64_t row, int64_t column) {
    for (int64_t i = 0; i < pictures.size(0); ++i) put(pictures, i, row, column + i);
}

void Figure::save() const {
    SavedFiles saved;
    const std::string at = saved.save(s_.out, [&](const std::string& path) { io::save_image(path, image_); });
    saved.require_all_in_place();
    s_.say("{}x{} pictures: {}", table_.columns, table_.rows, at);
}

std::vector<Tensor> repeated(const std::vector<Tensor>& styles, int64_t seed, int64_t count) {
    std::vector<Tensor> all;
    for (const Tensor& w : styles)
        all.push_back(expand(slice(w, 0, seed, seed + 1), {count, w.size(1)}).contiguous());
    return all;
}

}  // namespace lily::stylegan
