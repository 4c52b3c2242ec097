// SPDX-License-Identifier: MIT
#include "framework/nn/batch_norm.h"

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/pointwise.h"
#include "framework/ops/reduce.h"
#include "framework/ops/shape.h"

namespace lily::nn {

BatchNorm::BatchNorm(int64_t channels, BatchNormLayerOptions options)
    : momentum(options.momentum), options_(options) {
    const TensorOptions real{.dtype = options.dtype};
    if (options.affine) {
        weight = register_parameter("weight", ones({channels}, real));
        bias = register_parameter("bias", zeros({channels}, real));
    }
    if (options.track_running_stats) {
        running_mean = register_buffer("running_mean", zeros({channels}, real));
        running_var = register_buffer("running_var", ones({channels}, real));
        num_batches_tracked = register_buffer("num_batches_tracked", zeros({}, {.dtype = DType::i64}));
    }
}

Tensor BatchNorm::forward(const Tensor& x) {
    check_input(x);
    const bool training = is_training() || !options_.track_running_stats;
    const bool tracks = is_training() && options_.track_running_stats;
    if (tracks && !momentum)
        refuse_in_capture("BatchNorm", "average over all batches (momentum none): their number changes");
    if (tracks) count_batch();
    const double weight_of_batch = momentum ? *momentum : tracks ? 1 / static_cast<double>(batches_) : 0;
    if (is_training() && mean_of_shares_) return normalise_shared(x, weight_of_batch);
    return batch_norm(x, running_mean, running_var, weight, bias,
                      {.training = training, .momentum = weight_of_batch, .eps = options_.eps});
}

void BatchNorm::share_statistics(Mean mean, int64_t processes) {
    mean_of_shares_ = std::move(mean);
    shares_ = processes;
}

// y = (x - μ) / √(σ² + ε) weight + bias, as ops.
Tensor BatchNorm::normalise_shared(const Tensor& x, double weight_of_batch) {
    Dims dims;
    Shape per_channel = x.shape();
    for (int64_t d = 0; d < x.rank(); ++d)
        if (d != 1) {
            dims.push_back(d);
            per_channel[d] = 1;
        }
    const Tensor mu = mean_of_shares_(mean(x, dims, true));
    const Tensor difference = x - mu;
    const Tensor variance = mean_of_shares_(mean(difference * difference, dims, true));
    if (options_.track_running_stats) {
        const NoGrad no_grad;
        const auto m = static_cast<double>(x.numel() / x.size(1) * shares_);
        const auto follow = [&](Tensor& running, const Tensor& batch, double factor) {
            running.copy_(running * (1 - weight_of_batch) +
                          batch.detach().reshape(running.shape()) * (weight_of_batch * factor));
        };
        follow(running_mean, mu, 1);
        follow(running_var, variance, m / (m - 1));  // unbiased
    }
    const Tensor y = difference * rsqrt(variance + options_.eps);
    return weight.defined() ? y * weight.reshape(per_channel) + bias.reshape(per_channel) : y;
}

void BatchNorm::reset_running_stats() {
    if (!options_.track_running_stats) return;
    running_mean.fill_(0);
    running_var.fill_(1);
    num_batches_tracked.fill_(0);
}

// Reading the number would make the host wait for a GPU: only if somebody else has written it.
int64_t BatchNorm::next_count() {
    if (num_batches_tracked.storage() != counted_in_ || counted_in_->version() != counted_at_) {
        const OutsideOfCapture outside("BatchNorm");
        batches_ = num_batches_tracked.item<int64_t>();
    }
    return ++batches_;
}
void BatchNorm::has_counted() {
    counted_in_ = num_batches_tracked.storage();
    counted_at_ = counted_in_->version();
}

// The number is the host's, which counts the replays of a captured step too.
void BatchNorm::count_batch() {
    const int64_t* const replayed = each_replay<int64_t>(1, [this](int64_t* to) {
        *to = next_count();
        num_batches_tracked.storage()->bump_version();
        has_counted();
    });
    const Device device = num_batches_tracked.device();
    if (replayed)
        return copy_bytes(device, num_batches_tracked.storage()->data(), device, replayed, sizeof *replayed);
    num_batches_tracked.fill_(static_cast<double>(next_count()));
    has_counted();
}

void BatchNorm1d::check_input(const Tensor& x) const {
    check(x.rank() == 2 || x.rank() == 3, "[BatchNorm1d] expected (N,C) or (N,C,L), got {}", x.shape());
}

void BatchNorm2d::check_input(const Tensor& x) const {
    check(x.rank() == 4, "[BatchNorm2d] expected (N,C,H,W), got {}", x.shape());
}

}  // namespace lily::nn
