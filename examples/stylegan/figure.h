// SPDX-License-Identifier: MIT
// Figures: a table of pictures that a model makes.
#pragma once

#include <string>
#include <vector>

#include "examples/stylegan/command_line.h"
#include "framework/io/picture_grid.h"
#include "models/stylegan/model_file.h"

namespace lily::stylegan {

io::PictureSize picture_size(const models::LoadedStyleGenerator& model);
// --zoom, or what small pictures need to be seen.
int zoom_of(int zoom, const io::PictureSize& size);

// Pictures in rows and columns on white, narrow gaps between them, wide ones before the rows and columns
// named.
struct Table {
    int64_t columns, rows;
    std::vector<int64_t> wide_before_columns = {}, wide_before_rows = {};
};

class Figure {
  public:
    // Loads the model, and throws before anything is computed if the figure is too large or cannot be saved.
    Figure(const FigureSettings& s, const Table& table);

    const models::StyleSampler& sampler() const { return sampler_; }
    const io::PictureSize& size() const { return size_; }

    // Picture `i` of (N,channels,H,W) in -1…1, at its place.
    void put(const Tensor& pictures, int64_t i, int64_t row, int64_t column);
    // All pictures of a batch, from there to the right.
    void put_row(const Tensor& pictures, int64_t row, int64_t column);
    void save() const;

  private:
    const FigureSettings& s_;
    const Table table_;
    const models::LoadedStyleGenerator model_;
    const models::StyleSampler sampler_;
    const io::PictureSize size_;
    const int zoom_;
    io::Image image_;
};

// A seed's style, one (1,width) per layer, for as many pictures: (count,width) of each.
std::vector<Tensor> repeated(const std::vector<Tensor>& styles, int64_t seed, int64_t count);

}  // namespace lily::stylegan
