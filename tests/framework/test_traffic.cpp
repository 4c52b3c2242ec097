// SPDX-License-Identifier: MIT
// What kernels move, counted by the software GPU: 32-byte sectors of global memory against the least that the
// operation can do with, and bank conflicts in shared memory. There are no caches in these counts: a value
// that two threads load counts twice, so kernels that read neighbours have limits of their own.
#include "framework/autograd.h"
#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "framework/random.h"
#include "tests/catch.h"

#if __has_include("simt/xray.h")  // not without the software GPU
#include "simt/simt.h"
#include "simt/xray.h"

namespace lily::testing {
namespace {

class FullXray {
  public:
    FullXray() { simt::set_xray(simt::Xray::full); }
    ~FullXray() { simt::set_xray(before_); }
    FullXray(const FullXray&) = delete;
    FullXray& operator=(const FullXray&) = delete;

  private:
    simt::Xray before_ = simt::xray();
};

// All kernels of a run together.
struct Traffic {
    double bytes = 0;  // 32 per sector
    double waste = 0;  // sectors beyond those that the bytes asked for fill, as a share of them
    uint64_t conflicts = 0, launches = 0;
};

template <class Run>
Traffic traffic_of(const Run& run) {
    synchronize(Device::simt);
    simt::reset_counters();
    run();
    synchronize(Device::simt);
    Traffic total;
    double least = 0;
    for (const simt::Counters& c : simt::counters()) {
        total.bytes += 32.0 * static_cast<double>(c.loads.sectors + c.stores.sectors);
        least += static_cast<double>(c.loads.bytes + c.stores.bytes);
        total.conflicts += c.bank_conflicts();
        total.launches += c.launches;
    }
    total.waste = total.bytes / least - 1;
    return total;
}

Tensor there(const Shape& shape) {
    return (reshape(arange(shape.numel()), shape) * 1e-4 - 1).to(Device::simt);
}

struct Case {
    const char* name;
    double least;  // bytes that have to be moved
    std::function<void()> run;
    double limit = 1.05;  // times the least
    uint64_t launches = 1;
    double waste = 0.05;
};

}  // namespace

TEST_CASE("traffic: streaming kernels move little more than they must", "[simt][xray]") {
    if (!is_available(Device::simt) || !simt::instrumented())
        SKIP("the kernels of this build are not counted");
    const FullXray full;
    const NoGrad no_grad;
    constexpr int64_t kRows = 64, kColumns = 512, kSize = kRows * kColumns;
    constexpr double kMap = kSize * sizeof(float);
    const Tensor x = there({kRows, kColumns}), y = there({kRows, kColumns}), row = there({kColumns});
    const Tensor maps = there({1, 8, 64, 64}), style = there({1, 8});
    Tensor parameter = there({kRows, kColumns});
    parameter.set_grad(there({kRows, kColumns}));
    optim::Adam adam({parameter}, {});
    adam.step();
    Generator generator(1);
    Tensor u8 = x.to(DType::u8);
    const Tensor rows = arange(kRows).to(DType::i64).to(Device::simt);
    const Case cases[] = {
        {"unary", 2 * kMap, [&] { square(x); }},
        {"affine", 2 * kMap, [&] { affine(x, 2, 1); }},
        {"binary", 3 * kMap, [&] { x* y; }},
        {"binary, a row", 3 * kMap, [&] { x + row; }},  // the row once per row
        {"fill", kMap, [&] { zeros({kSize}, {.device = Device::simt}); }},
        {"convert", kMap + kSize, [&] { u8.to(DType::f32); }},
        {"permute", 2 * kMap, [&] { transpose(x, 0, 1); }},
        {"slice", kMap, [&] { slice(x, 1, 0, kColumns / 2); }},
        {"channels_last", 2 * kMap, [&] { maps.to(MemoryFormat::channels_last); }},
        {"uniform", kMap, [&] { rand({kSize}, generator, {.device = Device::simt}); }},
        {"normal", kMap, [&] { randn({kSize}, generator, {.device = Device::simt}); }},
        {"sum", kMap, [&] { sum(x); }, 1.05, 2},
        {"sum of rows", kMap, [&] { sum(x, {1}); }},
        {"sum of columns", kMap, [&] { sum(x, {0}); }},
        {"maximum of rows", kMap, [&] { amax(x, {1}); }},
        {"squared error", 2 * kMap, [&] { mse_loss(x, y); }, 1.05, 2},
        {"softmax", 2 * kMap, [&] { softmax(x, 1); }},
        {"log softmax", 2 * kMap, [&] { log_softmax(x, 1); }},
        {"max pooling", 1.3125 * kMap, [&] { max_pool2d(maps, 2); }},
        {"mean pooling", 1.25 * kMap, [&] { avg_pool2d(maps, 2); }},
        {"embedding", 2 * kMap, [&] { embedding(rows, x); }, 1.15},  // a warp loads its index for 32 columns
        {"Adam", 7 * kMap, [&] { adam.step(); }},
        {"instance norm", 2 * kMap, [&] { instance_norm(maps); }},
        {"AdaIN", 2 * kMap, [&] { adain(maps, style, style); }},
        {"nearest upsampling", 5 * kMap,
         [&] {
             upsample_nearest2d(maps, {2, 2});
         }},
        {"blur", 2 * kMap, [&] { blur(maps); }, 2.8, 1, 0.2},  // 3 loads, 2 unaligned, of 10 rows for 8
        // each output loads its two taps, and every eighth the numbers of both
        {"bilinear", 9 * kMap,
         [&] {
             interpolate(maps, {128, 128});
         },
         2.5, 2},
        {"total variation", kMap, [&] { total_variation(maps); }, 4.2, 2},  // 3 loads and an unaligned one
    };
    for (const Case& c : cases) {
        c.run();  // tables and plans are made now
        const Traffic moved = traffic_of(c.run);
        INFO(c.name << ": " << moved.bytes / c.least << " of the least, sectors " << 100 * moved.waste
                    << " % beyond what was asked for");
        CHECK(moved.launches == c.launches);
        CHECK(moved.conflicts == 0);
        CHECK(moved.bytes <= c.limit * c.least);
        CHECK(moved.waste <= c.waste);
    }
}

TEST_CASE("traffic: streaming gradients too", "[simt][xray]") {
    if (!is_available(Device::simt) || !simt::instrumented())
        SKIP("the kernels of this build are not counted");
    const FullXray full;
    constexpr double kMap = 8 * 64 * 64 * sizeof(float);
    Tensor x = there({1, 8, 64, 64}).set_requires_grad();
    const Tensor style = there({1, 8}), dy = there({1, 8, 64, 64}), pooled = there({1, 8, 32, 32});
    const struct {
        const char* name;
        double least;
        Tensor y, dy;
        double limit = 1.05;
    } cases[] = {
        {"unary", 3 * kMap, tanh(x), dy},
        {"relu", 3 * kMap, relu(x), dy},
        {"max pooling", kMap * (1 + 0.25 + 0.0625), max_pool2d(x, 2), pooled},
        {"mean pooling", 1.25 * kMap, avg_pool2d(x, 2), pooled},
        {"instance norm", 3 * kMap, instance_norm(x), dy},
        {"AdaIN", 3 * kMap, adain(x, style, style), dy},
        {"squared error", 3 * kMap, mse_loss(x, dy), ones({}, {.device = Device::simt}), 1.1},
        {"total variation", 1.25 * kMap, total_variation(x), ones({}, {.device = Device::simt}), 1.25},
    };
    for (const auto& c : cases) {
        std::vector<Tensor> dx;
        const Traffic moved = traffic_of([&] { dx = grad(c.y, {x}, {.dL_dy = c.dy, .retain_graph = true}); });
        INFO(c.name << ": " << moved.bytes / c.least << " of the least, sectors " << 100 * moved.waste
                    << " % beyond what was asked for");
        CHECK(moved.launches == 1);
        CHECK(moved.conflicts == 0);
        CHECK(moved.bytes <= c.limit * c.least);
        CHECK(moved.waste <= 0.05);
    }

    // Value and slopes in one pass: 5 loads, two of them unaligned, and a byte.
    const Traffic moved = traffic_of([&] { total_variation(x); });
    INFO("total variation and its slopes: " << moved.bytes / (1.25 * kMap) << " of the least");
    CHECK(moved.launches == 2);
    CHECK(moved.bytes <= 5 * 1.25 * kMap);
}

namespace {

// Bytes that the kernels of a gradient of n indices move, 32 per sector: in all, and those that its sums
// load.
struct EmbeddingTraffic {
    double all = 0, sums = 0, joins = 0;
};
EmbeddingTraffic embedding_traffic(int64_t n, bool one_row) {
    constexpr int64_t kRows = 64, kWidth = 64;
    const Tensor index =
        (one_row ? zeros({n}, {.dtype = DType::i64}) : arange(n).to(DType::i64)).to(Device::simt);
    Tensor weight = there({one_row ? kRows : n, kWidth}).set_requires_grad();
    const Tensor dy = there({n, kWidth}), y = embedding(index, weight);
    synchronize(Device::simt);
    simt::reset_counters();
    grad(y, {weight}, {.dL_dy = dy});
    synchronize(Device::simt);
    EmbeddingTraffic bytes;
    for (const simt::Counters& c : simt::counters()) {
        const double loaded = 32.0 * static_cast<double>(c.loads.sectors);
        bytes.all += loaded + 32.0 * static_cast<double>(c.stores.sectors);
        if (c.kernel.find("sum_pieces") != std::string::npos) bytes.sums = loaded;
        if (c.kernel.find("join_pieces") != std::string::npos) bytes.joins = loaded;
    }
    return bytes;
}

}  // namespace

TEST_CASE("traffic: the gradient of an embedding grows with the number of indices", "[simt][xray]") {
    if (!is_available(Device::simt) || !simt::instrumented())
        SKIP("the kernels of this build are not counted");
    const FullXray full;
    for (const bool one_row : {true, false}) {
        const EmbeddingTraffic few = embedding_traffic(1024, one_row),
                               many = embedding_traffic(4096, one_row);
        INFO((one_row ? "one row: " : "all distinct: ") << few.all << " and " << many.all << " bytes");
        CHECK(many.all <= 5 * few.all);  // four times as many, and two passes more to sort them
        CHECK(many.all <= 2.0 * 64 * sizeof(float) * (4096 + (one_row ? 64 : 4096)));  // dy, and the table
        // dy once, and the keys of each piece: no block has more than a piece of a row
        CHECK(many.sums <= 1.1 * 4096 * 64 * sizeof(float));
        CHECK(many.sums > 0);
        // what is left for the blocks that join the pieces of a row, one per 32 columns
        CHECK(many.joins <= 0.03 * many.sums);
    }
}

}  // namespace lily::testing
#endif
