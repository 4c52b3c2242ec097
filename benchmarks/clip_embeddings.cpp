// SPDX-License-Identifier: MIT
// Embeddings by ViT-B/32: milliseconds, the least and the median of many, as a line of JSON.
// benchmarks/rivals/clip_embeddings.py does the same in PyTorch.
//   clip_embeddings [image|text] [BATCH] [TOKENS] [SECONDS] [WEIGHTS]
// Without a file the weights are random; after 0 seconds the first embedding is the only one.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "framework/autograd.h"
#include "framework/ops.h"
#include "models/clip/clip.h"

namespace {

using namespace lily;

double milliseconds(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

// Texts of so many tokens, end included.
Tensor texts(int64_t batch, int64_t length) {
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < batch * length; ++i)
        ids.push_back(i % length == 0 ? 49406 : i % length == length - 1 ? 49407 : i * 7919 % 49406);
    return from_vector(ids, {batch, length});
}

void run(int count, char** arguments) {
    const auto argument = [&](int i, const char* otherwise) {
        return std::string(i < count ? arguments[i] : otherwise);
    };
    const std::string kind = argument(1, "image");
    const int64_t batch = std::stoll(argument(2, "1")), tokens = std::stoll(argument(3, "77"));
    const double seconds = std::stod(argument(4, "5"));
    const NoGrad no_grad;
    Generator generator(1);
    const auto model =
        count > 5 ? models::load_clip(arguments[5], {.activation = models::ClipActivation::quick_gelu})
                  : std::make_unique<models::Clip>(models::ClipConfig{}, generator);
    model->requires_grad_(false);
    const Tensor pixels = randn({batch, 3, 224, 224}, generator), ids = texts(batch, tokens);
    const auto embed = [&] { kind == "image" ? model->encode_image(pixels) : model->encode_text(ids); };
    std::vector<double> times{milliseconds(embed)};
    if (seconds > 0) times.clear();  // the first one asks for memory
    for (double total = 0; total < 1000 * seconds;) {
        times.push_back(milliseconds(embed));
        total += times.back();
    }
    std::sort(times.begin(), times.end());
    fmt::print(
        "{{\"kind\": \"{}\", \"batch\": {}, \"tokens\": {}, \"least_ms\": {:.2f}, \"median_ms\": {:.2f}, "
        "\"runs\": {}}}\n",
        kind, batch, kind == "image" ? 50 : tokens, times.front(), times[times.size() / 2], times.size());
}

}  // namespace

int main(int count, char** arguments) {
    try {
        run(count, arguments);
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "clip_embeddings: {}\n", error.what());
        return 1;
    }
}
