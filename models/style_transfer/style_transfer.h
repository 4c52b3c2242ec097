// SPDX-License-Identifier: MIT
// One run of neural style transfer: a picture under optimisation.
#pragma once

#include <cmath>
#include <memory>
#include <string>

#include "framework/capture.h"
#include "framework/io/tensors.h"
#include "framework/optim/lbfgs.h"
#include "framework/train/diverged.h"
#include "models/style_transfer/loss.h"
#include "models/style_transfer/matte.h"

namespace lily::models {

enum class OptimizerKind { adam, lbfgs };

class StyleTransfer {
  public:
    // `initial` (1,3,H,W): where the optimisation starts, as Vgg19's input. The learning rate is Adam's;
    // L-BFGS takes steps of length 1 with a strong Wolfe line search, as torch.optim.LBFGS does. The loss
    // sees the image through `matte`, on white where it is transparent.
    StyleTransfer(StyleTransferLoss loss, const Tensor& initial, OptimizerKind optimizer,
                  double learning_rate, Matte matte = {});
    StyleTransfer(const StyleTransfer&) = delete;  // the captured step knows this one
    StyleTransfer& operator=(const StyleTransfer&) = delete;

    // One optimiser step. Returns the losses of the image before it. Throws train::Diverged where they became
    // infinite or not a number; the image is the last good one then.
    LossValues step();
    // The losses of the image as it is now, which no step has looked at yet. Throws the same.
    LossValues losses();

    // Empty, or why the picture does not change any further: then more steps are in vain. Adam: a step
    // changed no pixel. L-BFGS: two steps in a row found no lower loss, the second from a fresh start.
    const std::string& stalled() const { return stalled_; }

    const Tensor& image() const { return image_; }
    int64_t iteration() const { return iteration_; }  // steps done

    // Everything that the next step depends on, for checkpoints: the same bits as a run that was never
    // interrupted.
    StateDict state_dict() const;
    void load_state_dict(const StateDict& state);

  private:
    LossValues evaluate();  // losses of the image; fills its gradient
    void compute();         // the same, with the losses in losses_
    void check_finite(const LossValues& losses);
    void look_for_progress(const LossValues& before);

    StyleTransferLoss loss_;
    Matte matte_;
    Tensor image_, last_good_;
    Tensor losses_;           // in_one of the last terms
    CapturedStep computing_;  // on a GPU, compute() as one launch
    bool has_targets_ = false;
    std::unique_ptr<optim::Optimizer> optimizer_;
    optim::LBFGS* lbfgs_ = nullptr;  // the same, if it is L-BFGS
    double last_total_ = NAN;        // before the last step
    bool restarted_ = false;         // the last step began afresh
    std::string stalled_;
    int64_t iteration_ = 0;
};

}  // namespace lily::models
