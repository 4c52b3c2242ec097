// SPDX-License-Identifier: MIT
#include "examples/stylegan/judge.h"

#include <algorithm>

#include "examples/common/pictures.h"
#include "framework/data/picture_folder.h"
#include "framework/ops.h"

namespace lily::stylegan {
namespace {
constexpr int64_t kClassifierEpochs = 3;
}

data::Dataset load_data(const Machine& machine, const std::string& folder, int64_t side, bool grey,
                        bool classes) {
    data::Dataset set =
        data::has_mnist(folder, data::Split::train)
            ? data::load_mnist(folder)
            : data::load_picture_folder(
                  folder, {.size = {grey ? 1 : 3, side, side},
                           .subfolders = classes ? data::Subfolders::classes : data::Subfolders::flat});
    say_what_was_found(machine, set);
    check(set.height <= side && set.width <= side,
          "the pictures are {}x{}; choose a --resolution of {} or more", set.width, set.height,
          std::max(set.width, set.height));
    return set;
}

Judge::Judge(const data::Dataset& unpadded, int64_t side, const std::string& path, const Machine& machine,
             Device device)
    : size_(unpadded.size()), margin_((side - size_.height) / 2) {
    if (!path.empty() && io::exists(path)) {
        classifier_ = models::load_classifier(path);
    } else {
        classifier_ =
            models::train_and_judge(unpadded, {.epochs = kClassifierEpochs, .quiet = machine.quiet}, device);
        machine.say("classifier: {:.2f} % of {} pictures right that it was not trained with",
                    100 * classifier_.accuracy, unpadded.count / 10);
        if (!path.empty()) models::save_classifier(path, *classifier_.classifier, classifier_.accuracy);
    }
    evaluator_ = std::make_unique<models::Evaluator>(*classifier_.classifier, unpadded, device);
}

Tensor Judge::cropped(const Tensor& pictures) const {
    const Tensor rows = slice(pictures, 2, margin_, margin_ + size_.height);
    return slice(rows, 3, margin_, margin_ + size_.width).contiguous().reshape({-1, size_.pixels()});
}

}  // namespace lily::stylegan
