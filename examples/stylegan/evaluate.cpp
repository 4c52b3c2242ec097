// SPDX-License-Identifier: MIT
// stylegan evaluate: how good are samples, and are they copies?
#include <numeric>

#include "examples/common/saved_files.h"
#include "examples/stylegan/commands.h"
#include "examples/stylegan/figure.h"
#include "examples/stylegan/judge.h"
#include "framework/data/loader.h"
#include "models/metrics/report.h"

namespace lily::stylegan {
namespace {

// Of the picture of neighbours: samples in the upper rows of each pair, what is nearest to them below.
constexpr int64_t kColumns = 12, kPairs = 4;

}  // namespace

int run(const EvaluateSettings& s) {
    if (!s.json.empty()) io::check_writable(s.json);
    if (!s.neighbours.empty()) io::check_can_save_image(s.neighbours);
    check(s.neighbours.empty() || s.count >= kColumns, "--neighbours needs at least {} samples, there are {}",
          kColumns, s.count);
    const models::LoadedStyleGenerator model = models::load_style_generator(s.model);
    const io::PictureSize size = picture_size(model);
    const data::Dataset set = load_data(s, s.data, size.width, size.channels == 1, true);
    check(set.channels == size.channels, "{} makes pictures of {} channels, the data have {}",
          io::in_quotes(s.model), size.channels, set.channels);
    models::SampleOptions sampling = s.sampling;
    sampling.device = s.choose();
    Judge judge(set, size.width, s.classifier, s, sampling.device);
    models::Seeds seeds(static_cast<size_t>(s.count));
    std::iota(seeds.begin(), seeds.end(), s.seed);
    const models::StyleSampler sampler(*model.generator, model.growth, sampling);
    const Tensor samples = judge.cropped(sampler.pictures(seeds));
    models::Evaluator& evaluator = judge.evaluator();
    const models::GanReport report{.samples = s.count,
                                   .classifier_accuracy = judge.classifier_accuracy(),
                                   .quality = evaluator.quality(samples),
                                   .of_data = evaluator.quality(data::to_pixels(set, set.spread(s.count))),
                                   .copies = models::check_for_copies(samples, set),
                                   .manifolds = evaluator.precision_recall(samples)};
    fmt::print("{}", report.table());
    SavedFiles saved;
    if (!s.json.empty())
        saved.save(s.json,
                   [&](const std::string& path) { io::write_file_atomically(path, report.json() + "\n"); });
    if (!s.neighbours.empty())
        saved.save(s.neighbours, [&](const std::string& path) {
            io::save_image(path, io::sample_grid(models::with_nearest(samples, set, kColumns, kPairs),
                                                 set.size(), kColumns, zoom_of(0, set.size())));
        });
    io::finish_stdout();
    saved.require_all_in_place();
    return 0;
}

}  // namespace lily::stylegan
