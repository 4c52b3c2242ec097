// SPDX-License-Identifier: MIT
#include "models/stylegan/augment.h"

#include <algorithm>

#include "framework/ops.h"

namespace lily::models {
namespace {

Tensor per_picture(int64_t n, double low, double high, Generator& random, const TensorOptions& options) {
    return affine(rand({n, 1, 1, 1}, random, options), high - low, low);
}

Tensor recolour(Tensor x, Generator& random, const TensorOptions& options) {
    const int64_t n = x.size(0);
    x = x + per_picture(n, -0.5, 0.5, random, options);
    const Tensor grey = mean(x, {1}, true);
    x = (x - grey) * per_picture(n, 0, 2, random, options) + grey;
    const Tensor level = mean(x, {1, 2, 3}, true);
    return (x - level) * per_picture(n, 0.5, 1.5, random, options) + level;
}

// (N,side,side): ones where column = row + shift
Tensor shift_matrices(int64_t n, int64_t side, const std::vector<int64_t>& shifts) {
    std::vector<float> ones(static_cast<size_t>(n * side * side));
    for (int64_t i = 0; i < n; ++i)
        for (int64_t row = 0; row < side; ++row) {
            const int64_t column = row + shifts[static_cast<size_t>(i)];
            if (column >= 0 && column < side) ones[static_cast<size_t>((i * side + row) * side + column)] = 1;
        }
    return from_vector(ones, {n, 1, side, side});
}

std::vector<int64_t> random_integers(int64_t n, int64_t low, int64_t high, Generator& random) {
    return randint(low, high, {n}, random).to_vector<int64_t>();
}

// As two products: rows are moved by a matrix from the left, columns by one from the right.
Tensor translate(const Tensor& x, Generator& random, const TensorOptions& options) {
    const int64_t n = x.size(0), side = x.size(2), most = std::max<int64_t>(1, side / 8);
    const auto matrices = [&] {
        return shift_matrices(n, side, random_integers(n, -most, most + 1, random))
            .to(options.dtype)
            .to(options.device);
    };
    const Tensor vertical = matrices(), horizontal = matrices();
    return matmul(matmul(vertical, x), horizontal);
}

Tensor cut_out(const Tensor& x, Generator& random, const TensorOptions& options) {
    const int64_t n = x.size(0), side = x.size(2), half = side / 2;
    const std::vector<int64_t> rows = random_integers(n, 0, side, random),
                               columns = random_integers(n, 0, side, random);
    std::vector<float> kept(static_cast<size_t>(n * side * side), 1);
    for (int64_t i = 0; i < n; ++i) {
        const auto at = static_cast<size_t>(i);
        for (int64_t r = std::max<int64_t>(0, rows[at] - half / 2); r < std::min(side, rows[at] + half / 2);
             ++r)
            for (int64_t c = std::max<int64_t>(0, columns[at] - half / 2);
                 c < std::min(side, columns[at] + half / 2); ++c)
                kept[static_cast<size_t>((i * side + r) * side + c)] = 0;
    }
    return x * from_vector(kept, {n, 1, side, side}).to(options.dtype).to(options.device);
}

}  // namespace

Tensor augment(const Tensor& x, Augmentation what, Generator& random) {
    const TensorOptions options{.dtype = x.dtype(), .device = x.device()};
    Tensor y = x.contiguous();
    if (what.colour) y = recolour(y, random, options);
    if (what.translation) y = translate(y, random, options);
    if (what.cutout) y = cut_out(y, random, options);
    return y;
}

}  // namespace lily::models
