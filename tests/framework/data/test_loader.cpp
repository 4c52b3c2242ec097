// SPDX-License-Identifier: MIT
#include "framework/data/loader.h"

#include <algorithm>
#include <memory>
#include <set>

#include "kernels/common/parallel.h"
#include "tests/framework/io/io_test.h"

namespace lily::data {
namespace {

using Catch::Matchers::ContainsSubstring;

// Picture i is one pixel of value i, of class i % 3.
Dataset counted(int64_t count) {
    Dataset set{.count = count, .channels = 1, .height = 1, .width = 1, .classes = 3};
    for (int64_t i = 0; i < count; ++i) {
        set.pixels.push_back(static_cast<uint8_t>(i));
        set.labels.push_back(static_cast<uint8_t>(i % 3));
    }
    return set;
}

int64_t picture_in(const Batch& batch, size_t i) {
    return std::lround((batch.pixels.to_vector<double>()[i] + 1) * 127.5);
}

std::vector<int64_t> pictures_in(Loader& loader, int64_t batches) {
    std::vector<int64_t> all;
    for (int64_t b = 0; b < batches; ++b) {
        const Batch batch = loader.next();
        for (size_t i = 0; i < batch.labels.size(); ++i) all.push_back(picture_in(batch, i));
    }
    return all;
}

}  // namespace

TEST_CASE("loader: every epoch each picture once, in an order of its own", "[data][loader]") {
    const Dataset set = counted(20);
    Loader loader(set, 5, 7);
    CHECK(loader.batches_per_epoch() == 4);
    std::vector<std::vector<int64_t>> epochs;
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
        epochs.emplace_back();
        for (int64_t b = 0; b < 4; ++b) {
            const Batch batch = loader.next();
            CHECK(batch.epoch == epoch);
            CHECK(batch.position == 20 * epoch + 5 * b);
            for (size_t i = 0; i < 5; ++i) {
                epochs.back().push_back(picture_in(batch, i));
                CHECK(batch.indices[i] == epochs.back().back());
                CHECK(batch.labels[i] == epochs.back().back() % 3);
            }
        }
        CHECK(std::set<int64_t>(epochs.back().begin(), epochs.back().end()).size() == 20);
    }
    CHECK(epochs[0] != epochs[1]);
    CHECK(epochs[1] != epochs[2]);
    CHECK(loader.position() == 60);
}

TEST_CASE("loader: the seed makes the order, and the position restores it", "[data][loader]") {
    const Dataset set = counted(23);
    Loader a(set, 4, 1), b(set, 4, 1), c(set, 4, 2);
    const std::vector<int64_t> want = pictures_in(a, 13);
    CHECK(pictures_in(b, 13) == want);
    CHECK(pictures_in(c, 13) != want);
    for (int64_t epoch = 0; epoch < 2; ++epoch) {  // whatever the size of a batch, each picture once
        const auto begin = want.begin() + 23 * epoch;
        CHECK(std::set<int64_t>(begin, begin + 23).size() == 23);
    }
    for (const int64_t batch : {0, 3, 5, 12}) {
        Loader other(set, 4, 1);
        other.set_position(4 * batch);
        CHECK(other.position() == 4 * batch);
        CHECK(pictures_in(other, 13 - batch) == std::vector<int64_t>(want.begin() + 4 * batch, want.end()));
    }
}

// What W ranks with batches of B see, in the order of the samples.
std::vector<int64_t> seen_by_ranks(const Dataset& set, int64_t world, int64_t batch, int64_t from,
                                   int64_t steps) {
    std::vector<std::unique_ptr<Loader>> ranks;
    for (int64_t r = 0; r < world; ++r) {
        ranks.push_back(std::make_unique<Loader>(
            set, LoaderOptions{.batch_size = batch, .seed = 5, .rank = r, .world_size = world}));
        ranks.back()->set_position(from);
    }
    std::vector<int64_t> all;
    for (int64_t step = 0; step < steps; ++step)
        for (const auto& rank : ranks) {
            const Batch b = rank->next();
            CHECK(b.position == from + static_cast<int64_t>(all.size()));
            all.insert(all.end(), b.indices.begin(), b.indices.end());
            CHECK(rank->position() == from + (step + 1) * world * batch);
        }
    return all;
}

TEST_CASE("loader: the ranks of any world share one sequence, and resume in another world",
          "[data][loader]") {
    for (const int64_t count : {24, 37, 60}) {
        const Dataset set = counted(count);
        const std::vector<int64_t> want = seen_by_ranks(set, 1, 1, 0, 3 * count);
        for (int64_t epoch = 0; epoch < 3; ++epoch) {
            std::vector<int64_t> sorted(want.begin() + epoch * count, want.begin() + (epoch + 1) * count);
            std::sort(sorted.begin(), sorted.end());
            for (int64_t i = 0; i < count; ++i) CHECK(sorted[static_cast<size_t>(i)] == i);
        }
        for (const auto& [world, batch] :
             {std::pair<int64_t, int64_t>{1, 5}, {2, 3}, {3, 4}, {4, 6}, {5, 1}}) {
            INFO(count << " pictures, " << world << " ranks, batches of " << batch);
            const int64_t steps = 2 * count / (world * batch);
            const std::vector<int64_t> got = seen_by_ranks(set, world, batch, 0, steps);
            CHECK(got == std::vector<int64_t>(want.begin(), want.begin() + world * batch * steps));
            // In the middle of an epoch, by a world of two: no sample twice, none left out.
            const int64_t middle = world * batch * (steps / 2);
            CHECK(seen_by_ranks(set, 2, 3, middle, 4) ==
                  std::vector<int64_t>(want.begin() + middle, want.begin() + middle + 24));
        }
    }
}

TEST_CASE("loader: mirroring belongs to a sample's place, not to its rank or batch", "[data][loader]") {
    Dataset set{.count = 50, .channels = 3, .height = 2, .width = 3};
    for (int i = 0; i < 50 * 18; ++i) set.pixels.push_back(static_cast<uint8_t>(i * 7));
    const auto pixels = [&](const LoaderOptions& options, int64_t from) {
        Loader loader(set, options);
        loader.set_position(from);
        return loader.next().pixels.to_vector();
    };
    const std::vector<float> all = pixels({.batch_size = 50, .seed = 3, .mirror = true}, 0),
                             plain = pixels({.batch_size = 50, .seed = 3}, 0);
    int mirrored = 0;
    for (size_t i = 0; i < 50; ++i) {
        std::vector<float> as_is(plain.begin() + static_cast<int64_t>(18 * i),
                                 plain.begin() + static_cast<int64_t>(18 * (i + 1)));
        const std::vector<float> got(all.begin() + static_cast<int64_t>(18 * i),
                                     all.begin() + static_cast<int64_t>(18 * (i + 1)));
        if (got == as_is) continue;
        for (size_t row = 0; row < 6; ++row) std::swap(as_is[3 * row], as_is[3 * row + 2]);
        CHECK(got == as_is);
        ++mirrored;
    }
    CHECK(mirrored > 12);
    CHECK(mirrored < 38);
    const std::vector<float> part =
        pixels({.batch_size = 5, .seed = 3, .rank = 2, .world_size = 4, .mirror = true}, 20);
    CHECK(part == std::vector<float>(all.begin() + 18 * 30, all.begin() + 18 * 35));
    kernels::set_max_threads(1);  // nor to the number of threads
    CHECK(pixels({.batch_size = 50, .seed = 3, .mirror = true}, 0) == all);
    kernels::set_max_threads(0);
}

TEST_CASE("loader: pixels go from -1 to 1, labels may be missing", "[data][loader]") {
    Dataset set{.count = 1, .channels = 1, .height = 1, .width = 3, .pixels = {0, 255, 51}};
    Loader loader(set, 1, 0);
    const Batch batch = loader.next();
    CHECK(batch.labels.empty());
    CHECK(batch.pixels.shape() == Shape{1, 3});
    const std::vector<double> x = batch.pixels.to_vector<double>();
    CHECK(x[0] == -1);
    CHECK(x[1] == 1);
    CHECK(x[2] == Approx(-0.6));
    CHECK(to_pixels(set, {0, 0}).shape() == Shape{2, 3});
    CHECK_THAT(io::error_of([&] { to_pixels(set, {1}); }), ContainsSubstring("picture 1 of 1"));
    CHECK_THAT(io::error_of([&] { Loader(set, 2, 0); }), ContainsSubstring("fewer than a batch of 2"));
    CHECK_THAT(io::error_of([&] { Loader(set, 0, 0); }), ContainsSubstring("at least 1, got 0"));
    CHECK_THAT(io::error_of([&] { loader.set_position(-1); }), ContainsSubstring("at least 0"));
    CHECK(io::error_of([&] { Loader(set, LoaderOptions{.batch_size = 1, .world_size = 2}); }) ==
          "[loader] the data have 1 pictures, fewer than a batch of 1 for each of 2 ranks");
    CHECK(io::error_of([&] { Loader(set, LoaderOptions{.batch_size = 1, .rank = 1}); }) ==
          "[loader] expected a rank from 0 to below the world's size, got 1 of 1");
}

TEST_CASE("loader: a batch outlives its loader", "[data][loader]") {
    const Dataset set = counted(4);
    Batch batch;
    {
        Loader loader(set, 4, 0);
        batch = loader.next();
        loader.next();
    }
    std::set<int64_t> seen;
    for (size_t i = 0; i < 4; ++i) seen.insert(picture_in(batch, i));
    CHECK(seen == std::set<int64_t>{0, 1, 2, 3});
}

TEST_CASE("loader: what its thread throws comes out of next()", "[data][loader]") {
    const Dataset huge{.count = 2, .channels = 1, .height = int64_t{1} << 31, .width = int64_t{1} << 31};
    Loader loader(huge, 1, 7);
    CHECK_THROWS_AS(loader.next(), std::length_error);  // of a vector of 2^62 floats
    CHECK_THROWS_AS(loader.next(), std::length_error);
    loader.set_position(1);
    CHECK_THROWS_AS(loader.next(), std::length_error);
}

}  // namespace lily::data
