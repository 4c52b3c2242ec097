// SPDX-License-Identifier: MIT
#include "framework/data/loader.h"

#include <set>

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
            CHECK(batch.index == b);
            for (size_t i = 0; i < 5; ++i) {
                epochs.back().push_back(picture_in(batch, i));
                CHECK(batch.labels[i] == epochs.back().back() % 3);
            }
        }
        CHECK(std::set<int64_t>(epochs.back().begin(), epochs.back().end()).size() == 20);
    }
    CHECK(epochs[0] != epochs[1]);
    CHECK(epochs[1] != epochs[2]);
    CHECK(loader.position() == 12);
}

TEST_CASE("loader: the seed makes the order, and the position restores it", "[data][loader]") {
    const Dataset set = counted(23);
    Loader a(set, 4, 1), b(set, 4, 1), c(set, 4, 2);
    const std::vector<int64_t> want = pictures_in(a, 13);
    CHECK(pictures_in(b, 13) == want);
    CHECK(pictures_in(c, 13) != want);
    for (const int64_t position : {0, 3, 5, 12}) {  // of 5 batches per epoch
        c.set_position(position);
        b.set_position(position);
        CHECK(b.position() == position);
        CHECK(pictures_in(b, 13 - position) == std::vector<int64_t>(want.begin() + 4 * position, want.end()));
    }
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
