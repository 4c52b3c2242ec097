// SPDX-License-Identifier: MIT
// What tests/examples/test_distributed.py starts by mpirun, and what its processes find. Not for a plain run.
#include <cstdio>
#include <cstdlib>

#include "framework/autograd.h"
#include "framework/distributed/all_gather.h"
#include "framework/distributed/gradient_reducer.h"
#include "framework/ops.h"
#include "framework/random.h"
#include "models/gan/trainer.h"
#include "models/stylegan/trainer.h"
#include "tests/catch.h"

namespace lily::models {
namespace {

void print(const distributed::ProcessGroup& group, const char* what, double value) {
    if (group.is_first()) std::printf("%s %.17g\n", what, value);
}

}  // namespace

TEST_CASE("processes: sums are those of a loop over the ranks", "[.processes]") {
    distributed::ProcessGroup group;
    const auto n = static_cast<size_t>(group.size());
    for (const size_t length : {0U, 1U, 2U, 5U, 4'001U, 300'007U}) {
        // What every rank has is known to all.
        const auto of = [](size_t rank, size_t i) {
            return std::sin(static_cast<float>(rank * 1000 + i % 977));
        };
        std::vector<float> values(length), expected(length);
        for (size_t i = 0; i < length; ++i) {
            values[i] = of(static_cast<size_t>(group.rank()), i);
            float sum = of(0, i);
            for (size_t r = 1; r < n; ++r) sum += of(r, i);
            expected[i] = sum;
        }
        group.sum(std::span<float>(values));
        CHECK(values == expected);  // every bit
    }
    CHECK(group.most(group.rank()) == group.size() - 1);
    group.require_same("a number", "7");
    if (!group.is_alone())
        CHECK_THROWS_WITH(group.require_same("a rank", std::to_string(group.rank())),
                          "the processes of this training differ in a rank: start all of them alike");
    print(group, "size", static_cast<double>(group.size()));
}

TEST_CASE("processes: gradients become means, also those that only some passes have", "[.processes]") {
    distributed::ProcessGroup group;
    const auto rank = static_cast<double>(group.rank()), size = static_cast<double>(group.size());
    const double mean_rank = (size - 1) / 2;
    Tensor x = full({700'000}, 2).set_requires_grad(), y = full({3}, 1).set_requires_grad(),
           z = full({2}, 1).set_requires_grad();
    distributed::GradientReducer reducer({x, y, z}, group);
    for (int pass = 0; pass < 4; ++pass) {
        if (pass == 2) reducer.expect_others();
        for (Tensor* leaf : {&x, &y, &z}) leaf->set_grad({});
        Tensor loss = (x * rank).sum() + (square(y) * rank).sum();
        if (pass >= 2) loss = loss + (z * (rank + 1)).sum();
        loss.backward(reducer.options());
        reducer.finish();
        CHECK(x.grad().to_vector<double>() == std::vector<double>(700'000, mean_rank));
        CHECK(y.grad().to_vector<double>() == std::vector<double>(3, 2 * mean_rank));
        CHECK(z.grad().defined() == (pass >= 2));
        if (pass >= 2) CHECK(z.grad().to_vector<double>() == std::vector<double>(2, mean_rank + 1));
    }
}

TEST_CASE("processes: gathered tensors bring the gradient of the one loss back", "[.processes]") {
    distributed::ProcessGroup group;
    const int64_t n = 2;
    const Tensor all =
        affine(arange(n * group.size() * 3).to(DType::f64).reshape({n * group.size(), 3}), 0.1, -0.5);
    const Tensor whole = all.clone().set_requires_grad();
    const auto loss = [](const Tensor& x) {
        return sum(matmul(x, transpose(x, 0, 1)) * matmul(x, transpose(x, 0, 1)));
    };
    const Tensor expected = grad(loss(whole), {whole})[0];
    const Tensor mine = slice(all, 0, n * group.rank(), n * (group.rank() + 1)).clone().set_requires_grad();
    const Tensor gathered = distributed::all_gather(mine, group);
    CHECK(gathered.to_vector<double>() == all.to_vector<double>());
    const std::vector<double> got = grad(loss(gathered), {mine})[0].to_vector<double>();
    const std::vector<double> want =
        slice(expected, 0, n * group.rank(), n * (group.rank() + 1)).to_vector<double>();
    for (size_t i = 0; i < got.size(); ++i)
        CHECK(got[i] == Approx(want[i] * static_cast<double>(group.size())).epsilon(1e-12));
}

// In f64, so that rounding, which a training without momentum lets grow by a factor of four to ten a step,
// stays small: what is compared is the algorithm.
TEST_CASE("processes: StyleGAN trains as one process does with the whole batch", "[.processes]") {
    distributed::ProcessGroup group;
    for (const StyleGanLoss loss : {StyleGanLoss::nonsaturating, StyleGanLoss::r3, StyleGanLoss::wgan_gp}) {
        const StyleGanOptions options{.resolution = 16,
                                      .channels = 1,
                                      .classes = 2,
                                      .latent = 4,
                                      .width = 4,
                                      .mapping_layers = 2,
                                      .feature_base = 16,
                                      .feature_max = 4,
                                      .stddev_group = loss == StyleGanLoss::r3 ? 0 : 4,
                                      .dtype = DType::f64};
        StyleGanTrainer trainer(
            options,
            {.loss = loss, .gamma = 1, .batch_size = 24, .growth = {.start = 8, .train = 48, .fade = 48}},
            Device::cpu, group);
        Generator random(7);
        for (int i = 0; i < 20; ++i) {
            const Tensor all = randn({24, 1, 16, 16}, random, {.dtype = DType::f64});
            std::vector<Tensor> mine;
            std::vector<int64_t> labels;
            const int64_t parts = trainer.batch_parts(), share = trainer.local_batch() / parts;
            for (int64_t p = 0; p < parts; ++p) {
                const int64_t begin = p * share * group.size() + group.rank() * share;
                mine.push_back(slice(all, 0, begin, begin + share));
                for (int64_t k = begin; k < begin + share; ++k) labels.push_back(k % 3 == 0 ? 1 : 0);
            }
            const StyleGanStep step = trainer.step(cat(mine, 0), labels);
            for (const double value : {step.d_loss, step.g_loss, step.penalty, step.d_real, step.d_fake})
                print(group, "loss", value);
        }
    }
}

TEST_CASE("processes: the MNIST GAN trains as one process does with the whole batch", "[.processes]") {
    distributed::ProcessGroup group;
    for (const GanLoss loss : {GanLoss::nonsaturating, GanLoss::wgan_gp}) {
        const GanOptions options{
            .pixels = 16, .latent = 4, .g_hidden = {8, 8}, .d_hidden = {8, 4}, .classes = 2};
        GanTrainer trainer(options, {.loss = loss, .clip_grad = 5}, Device::cpu, group);
        Generator random(7);
        for (int i = 0; i < 20; ++i) {
            const int64_t share = 24 / group.size(), begin = share * group.rank();
            data::Batch batch;
            batch.pixels = slice(rand({24, 16}, random), 0, begin, begin + share);
            for (int64_t k = begin; k < begin + share; ++k) batch.labels.push_back(k % 3 == 0 ? 1 : 0);
            const GanStep step = trainer.step([&] { return batch; });
            for (const double value : {step.d_loss, step.g_loss, step.d_real, step.d_fake, step.penalty})
                print(group, "loss", value);
        }
    }
}

}  // namespace lily::models
