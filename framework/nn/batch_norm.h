// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>

#include "framework/nn/module.h"
#include "framework/ops/batch_norm.h"

namespace lily::nn {

struct BatchNormLayerOptions {
    double eps = 1e-5;
    std::optional<double> momentum =
        0.1;                          // a batch's weight in the running statistics; none: their mean over all
    bool affine = true;               // with weight and bias
    bool track_running_stats = true;  // without: the batch's statistics also in eval
    DType dtype = DType::f32;
};

// What BatchNorm1d and BatchNorm2d share; names as in PyTorch.
class BatchNorm : public Module {
  public:
    Tensor forward(const Tensor& x) override;
    // In training, statistics of a batch of which so many processes have an equal share each: `mean` gives
    // the mean of all shares' values, differentiably (distributed::all_mean).
    using Mean = std::function<Tensor(const Tensor&)>;
    void share_statistics(Mean mean, int64_t processes);
    // As if no batch had been seen: mean 0, variance 1.
    void reset_running_stats();

    Tensor weight, bias;               // (C): 1 and 0 at first; undefined if not affine
    Tensor running_mean, running_var;  // (C): 0 and 1 at first; undefined if not tracked
    Tensor num_batches_tracked;        // i64, rank 0
    std::optional<double> momentum;    // as in the options

  protected:
    BatchNorm(int64_t channels, BatchNormLayerOptions options);
    virtual void check_input(const Tensor& x) const = 0;

  private:
    Tensor normalise_shared(const Tensor& x, double weight_of_batch);
    void count_batch();
    int64_t next_count();
    void has_counted();

    const BatchNormLayerOptions options_;
    Mean mean_of_shares_;  // none: all of the batch is here
    int64_t shares_ = 1;
    int64_t batches_ = 0;  // num_batches_tracked as this layer last wrote it, known without asking the device
    std::shared_ptr<Storage> counted_in_;
    uint64_t counted_at_ = 0;  // the version that its memory had then
};

// x (N,C) or (N,C,L)
class BatchNorm1d final : public BatchNorm {
  public:
    explicit BatchNorm1d(int64_t channels, BatchNormLayerOptions options = {})
        : BatchNorm(channels, options) {}

  private:
    void check_input(const Tensor& x) const override;
};

// x (N,C,H,W)
class BatchNorm2d final : public BatchNorm {
  public:
    explicit BatchNorm2d(int64_t channels, BatchNormLayerOptions options = {})
        : BatchNorm(channels, options) {}

  private:
    void check_input(const Tensor& x) const override;
};

}  // namespace lily::nn
