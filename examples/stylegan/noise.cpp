// SPDX-License-Identifier: MIT
// stylegan noise: what the layers' noise changes in a picture (Karras et al. 2019, figure 4).
#include <algorithm>
#include <cmath>

#include "examples/stylegan/commands.h"
#include "examples/stylegan/figure.h"
#include "framework/ops.h"

namespace lily::stylegan {
namespace {

constexpr int64_t kPiece = 32;  // pictures at a time

// Sums over the draws of one picture (Welford), each pixel as it is shown: cut off at black and white.
class Spread {
  public:
    explicit Spread(const io::PictureSize& size)
        : size_(size), mean_(static_cast<size_t>(size.pixels())), squares_(mean_.size()) {}

    void add(const Tensor& pictures) {
        const float* x = pictures.data<float>();
        for (int64_t i = 0; i < pictures.size(0); ++i) {
            ++count_;
            for (size_t k = 0; k < mean_.size(); ++k, ++x) {
                const double value = std::clamp(*x, -1.0f, 1.0f), from = value - mean_[k];
                mean_[k] += from / count_;
                squares_[k] += from * (value - mean_[k]);
            }
        }
    }
    // (H·W): the root of the channels' mean variance.
    std::vector<double> deviation() const {
        std::vector<double> map(static_cast<size_t>(size_.height * size_.width));
        for (size_t k = 0; k < squares_.size(); ++k) map[k % map.size()] += squares_[k];
        for (double& value : map) value = std::sqrt(value / (count_ * static_cast<double>(size_.channels)));
        return map;
    }

  private:
    const io::PictureSize size_;
    double count_ = 0;
    std::vector<double> mean_, squares_;
};

// In grey, (1,channels,H,W): 0 is black, `most` white.
Tensor map_picture(const std::vector<double>& map, double most, const io::PictureSize& size) {
    std::vector<float> pixels;
    for (int64_t c = 0; c < size.channels; ++c)
        for (const double value : map)
            pixels.push_back(static_cast<float>(most > 0 ? 2 * value / most - 1 : -1));
    return from_vector(pixels, {1, size.channels, size.height, size.width});
}

// The first draw is the seed's own picture.
models::Seeds noise_seeds(uint64_t seed, int64_t begin, int64_t end) {
    models::Seeds seeds;
    for (int64_t draw = begin; draw < end; ++draw)
        seeds.push_back(seed + (static_cast<uint64_t>(draw) << 32));
    return seeds;
}

}  // namespace

int run(const NoiseSettings& s) {
    check(s.shown <= s.draws, "--shown {} is more than the {} of --draws", s.shown, s.draws);
    const models::Seeds seeds = parse_seeds("--seeds", s.seeds);
    const auto rows = static_cast<int64_t>(seeds.size());
    Figure figure(s, {.columns = 1 + s.shown, .rows = rows, .wide_before_columns = {s.shown}});
    const models::StyleSampler& sampler = figure.sampler();
    const std::vector<Tensor> styles = sampler.styles(sampler.w(seeds));
    std::vector<std::vector<double>> maps;
    double most = 0;
    for (int64_t row = 0; row < rows; ++row) {
        Spread spread(figure.size());
        for (int64_t begin = 0; begin < s.draws; begin += kPiece) {
            const int64_t end = std::min(begin + kPiece, s.draws);
            const Tensor pictures = sampler.pictures(
                repeated(styles, row, end - begin), noise_seeds(seeds[static_cast<size_t>(row)], begin, end));
            spread.add(pictures);
            for (int64_t i = begin; i < std::min(end, s.shown); ++i) figure.put(pictures, i - begin, row, i);
        }
        maps.push_back(spread.deviation());
        most = std::max(most, *std::max_element(maps.back().begin(), maps.back().end()));
    }
    for (int64_t row = 0; row < rows; ++row)
        figure.put(map_picture(maps[static_cast<size_t>(row)], most, figure.size()), 0, row, s.shown);
    figure.save();
    s.say("standard deviation over {} draws: white is {:.2f} of 255 grey levels", s.draws, 127.5 * most);
    return 0;
}

}  // namespace lily::stylegan
