// SPDX-License-Identifier: MIT
#include "models/metrics/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace lily::models {

std::string GanReport::table() const {
    std::string shares;
    for (const double share : quality.shares) shares += fmt::format(" {:.1f}", 100 * share);
    std::string text = fmt::format("{} samples, judged by a classifier of {:.2f} % accuracy\n", samples,
                                   100 * classifier_accuracy);
    text += fmt::format("Fréchet distance     {:8.2f}   ({:.2f} for as many real pictures)\n",
                        quality.frechet, of_data.frechet);
    text += fmt::format("precision, recall    {:8.3f} {:.3f}\n", manifolds.precision, manifolds.recall);
    text += fmt::format("mean confidence      {:8.3f}   ({:.3f})\n", quality.confidence, of_data.confidence);
    text += fmt::format("classes in %         {}   (least {:.1f}, most {:.1f})\n", shares,
                        100 * quality.least_share(), 100 * quality.most_share());
    text += fmt::format(
        "nearest in the data  {:8.2f}   ({:.2f} between real pictures); least {:.2f}, copies {:.1f} %\n",
        copies.median, copies.median_of_data, copies.least, 100 * copies.copies);
    if (class_as_asked) text += fmt::format("class as asked for   {:8.3f}\n", *class_as_asked);
    return text;
}

std::string GanReport::json() const {
    nlohmann::ordered_json json = {{"samples", samples},
                                   {"frechet", quality.frechet},
                                   {"frechet_of_data", of_data.frechet},
                                   {"precision", manifolds.precision},
                                   {"recall", manifolds.recall},
                                   {"confidence", quality.confidence},
                                   {"confidence_of_data", of_data.confidence},
                                   {"shares", quality.shares},
                                   {"classifier_accuracy", classifier_accuracy},
                                   {"nearest_median", copies.median},
                                   {"nearest_median_of_data", copies.median_of_data},
                                   {"nearest_least", copies.least},
                                   {"copies", copies.copies}};
    if (class_as_asked) json["class_as_asked"] = *class_as_asked;
    return json.dump(1);
}

}  // namespace lily::models
