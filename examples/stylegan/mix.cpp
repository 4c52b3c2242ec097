// SPDX-License-Identifier: MIT
// stylegan mix: the styles of some layers taken from another picture (Karras et al. 2019, figure 3).
#include <algorithm>

#include "examples/stylegan/commands.h"
#include "examples/stylegan/figure.h"

namespace lily::stylegan {

Layers layers_of(Styles styles, int64_t layers) {
    const int64_t coarse = std::min<int64_t>(4, layers / 4 * 2);
    const int64_t middle = layers < 10 ? (layers + coarse) / 2 : 8;
    switch (styles) {
        case Styles::coarse:
            return {0, coarse};
        case Styles::middle:
            return {coarse, middle};
        case Styles::fine:
            return {middle, layers};
        case Styles::all:
            break;
    }
    return {0, layers};
}

int run(const MixSettings& s) {
    const models::Seeds rows = parse_seeds("--rows", s.rows), columns = parse_seeds("--cols", s.columns);
    std::vector<Styles> bands = {s.styles};
    if (s.styles == Styles::all) bands = {Styles::coarse, Styles::middle, Styles::fine};
    const auto width = static_cast<int64_t>(columns.size()), height = static_cast<int64_t>(rows.size());
    Table table{.columns = 1 + width, .rows = 1, .wide_before_columns = {1}};
    for (size_t i = 0; i < bands.size(); ++i, table.rows += height)
        table.wide_before_rows.push_back(table.rows);

    Figure figure(s, table);
    const models::StyleSampler& sampler = figure.sampler();
    const std::vector<Tensor> of_rows = sampler.styles(sampler.w(rows));
    const std::vector<Tensor> of_columns = sampler.styles(sampler.w(columns));
    const Tensor sources = sampler.pictures(of_rows, rows);
    figure.put_row(sampler.pictures(of_columns, columns), 0, 1);
    int64_t row = 1;
    for (const Styles band : bands) {
        const Layers taken = layers_of(band, models::Growth{figure.size().width}.layers());
        for (int64_t i = 0; i < height; ++i, ++row) {
            std::vector<Tensor> mixed = repeated(of_rows, i, width);
            std::copy(of_columns.begin() + taken.begin, of_columns.begin() + taken.end,
                      mixed.begin() + taken.begin);
            figure.put(sources, i, row, 0);
            const models::Seeds noise(columns.size(), rows[static_cast<size_t>(i)]);
            figure.put_row(sampler.pictures(mixed, noise), row, 1);
        }
    }
    figure.save();
    return 0;
}

}  // namespace lily::stylegan
