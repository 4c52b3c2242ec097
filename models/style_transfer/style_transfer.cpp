// SPDX-License-Identifier: MIT
#include "models/style_transfer/style_transfer.h"

#include <cmath>
#include <optional>
#include <utility>

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/optim/adam.h"
#include "framework/optim/flat_vector.h"
#include "framework/profiler.h"

namespace lily::models {

namespace {

std::unique_ptr<optim::Optimizer> make_optimizer(OptimizerKind kind, const Tensor& image,
                                                 double learning_rate) {
    if (kind == OptimizerKind::lbfgs)
        return std::make_unique<optim::LBFGS>(
            std::vector<Tensor>{image}, optim::LBFGSOptions{.lr = 1, .max_iter = 1, .history_size = 100});
    check(std::isfinite(learning_rate) && learning_rate > 0,
          "[style_transfer] the learning rate must be positive, got {}", learning_rate);
    return std::make_unique<optim::Adam>(std::vector<Tensor>{image}, optim::AdamOptions{.lr = learning_rate});
}

}  // namespace

StyleTransfer::StyleTransfer(StyleTransferLoss loss, const Tensor& initial, OptimizerKind optimizer,
                             double learning_rate, Matte matte)
    : loss_(std::move(loss)),
      matte_(std::move(matte)),
      image_(initial.detach().clone()),
      last_good_(initial.detach().clone()),
      computing_(capture(initial.device(), [this] { compute(); })) {
    image_.set_requires_grad();
    optimizer_ = make_optimizer(optimizer, image_, learning_rate);
    lbfgs_ = dynamic_cast<optim::LBFGS*>(optimizer_.get());
}

void StyleTransfer::compute() {
    image_.set_grad({});
    const LossTerms terms = loss_(matte_(image_));
    terms.total.backward();
    losses_ = in_one(terms);
}

// The first time the loss computes the content's features, which stay; a profiler wants to see the ops.
LossValues StyleTransfer::evaluate() {
    if (!has_targets_ || Profiler::active())
        compute();
    else
        computing_.replay();
    has_targets_ = true;
    return values_of(losses_);
}

void StyleTransfer::check_finite(const LossValues& losses) {
    if (std::isfinite(losses.total)) return;
    image_.copy_(last_good_);
    throw train::Diverged(
        fmt::format("[style_transfer] the loss became {} after iteration {}; try a lower --learning-rate or "
                    "--style-weight",
                    losses.total, iteration_));
}

// At the begin of a step, when the gradient is there and the image before the last step still known.
void StyleTransfer::look_for_progress(const LossValues& before) {
    // Adam divides by the root of the squared gradient. Where the square is infinite, the step is 0.
    constexpr double kSuspect = 1e15, kLargest = 0x1p64;  // kLargest² is the first that f32 does not hold
    if (!lbfgs_ && before.total > kSuspect) {
        const double largest = optim::abs_max(image_.grad().contiguous());
        if (!(largest < kLargest))
            throw train::Diverged(
                fmt::format("[style_transfer] the gradient reaches {:.2g} after iteration {}, which Adam "
                            "cannot square in f32: "
                            "pixels would stay as they are; try a lower --style-weight or --content-weight",
                            largest, iteration_));
    }
    const bool same = before.total == last_total_;
    last_total_ = before.total;
    const bool afresh = std::exchange(restarted_, false);
    if (!same) return;
    const NoGrad no_grad;
    if (!lbfgs_) {
        if (optim::abs_max(image_.detach() - last_good_) == 0)
            stalled_ = fmt::format("Adam's step is too small for f32: the largest gradient is {:.2g}",
                                   optim::abs_max(image_.grad().contiguous()));
    } else if (afresh) {
        stalled_ = "L-BFGS finds no lower loss, from a fresh start either";
    } else {
        lbfgs_->restart();
        restarted_ = true;
    }
}

LossValues StyleTransfer::step() {
    std::optional<LossValues>
        before;  // a line search evaluates several images; the first is the one before the step
    optimizer_->step([&] {
        if (before) profile_rest("line search");
        const LossValues losses = evaluate();
        if (!before) {
            check_finite(losses);
            look_for_progress(losses);
            last_good_.copy_(image_.detach());
            before = losses;
        }
        profile_rest("losses and copy");
        return losses.total;
    });
    profile_rest("optimizer");
    ++iteration_;
    return *before;
}

LossValues StyleTransfer::losses() {
    const LossValues now = evaluate();  // of the memory that the steps had
    check_finite(now);
    return now;
}

StateDict StyleTransfer::state_dict() const {
    StateDict result;
    for (const auto& [name, tensor] : optimizer_->state_dict()) result["optimizer." + name] = tensor;
    result["image"] = image_.detach();
    result["progress"] = from_vector<double>({last_total_, restarted_ ? 1.0 : 0.0}, {2});
    result["iteration"] = scalar(static_cast<double>(iteration_), {.dtype = DType::i64});
    return result;
}

void StyleTransfer::load_state_dict(const StateDict& state) {
    StateDict optimizer;
    const std::string prefix = "optimizer.";
    for (const auto& [name, tensor] : state)
        if (name.starts_with(prefix)) optimizer[name.substr(prefix.size())] = tensor;
    const auto get = [&](const char* name) -> const Tensor& {
        const auto found = state.find(name);
        check(found != state.end(), "[style_transfer] the checkpoint has no '{}'", name);
        return found->second;
    };
    const Tensor& saved = get("image");
    check(saved.shape() == image_.shape(), "[style_transfer] the checkpoint's image is {}, this run's is {}",
          saved.shape(), image_.shape());
    const auto iteration = get("iteration").item<int64_t>();
    optimizer_->load_state_dict(optimizer);
    image_.copy_(saved);
    last_good_.copy_(saved);
    iteration_ = iteration;
    const auto progress = state.find("progress");  // older checkpoints have none
    if (progress == state.end()) return;
    const Tensor& found = progress->second;
    check(found.dtype() == DType::f64 && found.shape() == Shape{2},
          "[style_transfer] the checkpoint's 'progress' is {} {}, expected f64 (2)",
          lily::name(found.dtype()), found.shape());
    last_total_ = found.to_vector<double>()[0];
    restarted_ = found.to_vector<double>()[1] != 0;
}

}  // namespace lily::models
