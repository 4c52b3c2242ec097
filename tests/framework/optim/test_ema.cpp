// SPDX-License-Identifier: MIT
#include "framework/optim/ema.h"

#include "framework/autograd.h"
#include "framework/nn/batch_norm.h"
#include "framework/nn/layers.h"
#include "framework/ops.h"
#include "tests/framework/io/io_test.h"

namespace lily::optim {
namespace {

using io::error_of;

TEST_CASE("Ema: every form against a loop in f64", "[optim][ema]") {
    const auto form = GENERATE(0, 1, 2, 3);
    const EmaDecay decay = form == 0   ? constant_decay(0.9)
                           : form == 1 ? warm_up_decay(0.9)
                           : form == 2 ? half_life_decay(1000, 32)
                                       : half_life_decay(1000, 32, 0.05);
    Generator random(3);
    nn::Linear model(4, 3, random), average(4, 3, random);
    Ema ema(average, model, decay);
    CHECK(average.weight.to_vector<double>() == model.weight.to_vector<double>());
    CHECK(!average.weight.requires_grad());
    CHECK(!average.is_training());
    std::vector<double> want = model.weight.to_vector<double>();
    for (int64_t t = 0; t < 30; ++t) {
        const double d = form == 0   ? 0.9
                         : form == 1 ? std::min(0.9, (1.0 + double(t)) / (10.0 + double(t)))
                         : form == 2 ? std::exp2(-32.0 / 1000)
                         : t == 0    ? 0.0
                                     : std::exp2(-32.0 / std::min(1000.0, 0.05 * 32.0 * double(t)));
        {
            const NoGrad no_grad;
            model.weight.copy_(randn({3, 4}, random));
        }
        const std::vector<double> now = model.weight.to_vector<double>();
        for (size_t i = 0; i < want.size(); ++i) want[i] = d * want[i] + (1 - d) * now[i];
        ema.update();
    }
    CHECK(ema.updates() == 30);
    const std::vector<double> got = average.weight.to_vector<double>();
    for (size_t i = 0; i < want.size(); ++i) CHECK(!(std::fabs(got[i] - want[i]) > 1e-6));
}

TEST_CASE("Ema: buffers are copied, and its state goes on with the same bits", "[optim][ema]") {
    nn::BatchNorm1d model(3), average(3), other(3);
    Generator random(3);
    Ema ema(average, model, warm_up_decay(0.99));
    const auto train = [&] {
        model(randn({8, 3}, random));
        ema.update();
    };
    train();
    CHECK(average.buffers()[0].to_vector<double>() == model.buffers()[0].to_vector<double>());
    Ema resumed(other, model, warm_up_decay(0.99));
    resumed.load_state_dict(ema.state_dict());
    CHECK(resumed.updates() == 1);
    train();
    resumed.update();
    for (const auto& [name, tensor] : average.state_dict())
        CHECK(tensor.to_vector<double>() == other.state_dict().at(name).to_vector<double>());
    CHECK(error_of([&] { resumed.load_state_dict({}); }) ==
          "[ema] the state does not say how many updates were done");
    CHECK(error_of([&] { constant_decay(1); }) == "[ema] expected a decay in [0,1), got 1");
    CHECK(error_of([&] { half_life_decay(0, 1); }) ==
          "[ema] expected a half-life and an update of more than 0 pictures, got 0 and 1");
}

}  // namespace
}  // namespace lily::optim
