// SPDX-License-Identifier: MIT
// stylegan truncation: what is between a picture, the mean picture and its opposite (Karras et al. 2019,
// figure 8).
#include "examples/stylegan/commands.h"
#include "examples/stylegan/figure.h"

namespace lily::stylegan {

int run(const TruncationSettings& s) {
    const models::Seeds seeds = parse_seeds("--seeds", s.seeds);
    const auto rows = static_cast<int64_t>(seeds.size());
    Figure figure(s, {.columns = static_cast<int64_t>(s.psis.size()), .rows = rows});
    const models::StyleSampler& sampler = figure.sampler();
    const Tensor w = sampler.w(seeds);
    for (size_t column = 0; column < s.psis.size(); ++column) {
        const std::vector<Tensor> styles =
            sampler.generator().truncated(w, s.psis[column], s.sampling.cutoff);
        const Tensor pictures = sampler.pictures(styles, seeds);
        for (int64_t row = 0; row < rows; ++row) figure.put(pictures, row, row, static_cast<int64_t>(column));
    }
    figure.save();
    return 0;
}

}  // namespace lily::stylegan
