// SPDX-License-Identifier: MIT
#include "models/gan/run_file.h"

namespace lily::models {
namespace {

constexpr int64_t kColumns = 5;
const std::string kHistory = "history";  // (iterations, 5) of f64: the members of GanStep in their order
const std::string kNumbers = "numbers";  // f64: saturation, best distance

}  // namespace

void save_gan_run(const std::string& path, GanTrainer& trainer, const io::PictureSize& size,
                  const data::Loader& loader, const CollapseMonitor& monitor, const GanRun& run,
                  const io::Checkpoint::Settings& settings) {
    io::Checkpoint checkpoint;
    put_description(checkpoint, trainer.options(), size);
    checkpoint.put_settings(kGanProgram, settings);
    trainer.save(checkpoint);
    checkpoint.put_integer("averaged", trainer.recipe().ema > 0 ? 1 : 0);
    checkpoint.put_integer("position", static_cast<uint64_t>(loader.position()));
    checkpoint.put_integer("rollbacks", static_cast<uint64_t>(run.rollbacks));
    checkpoint.put_integer("bad_checks", static_cast<uint64_t>(run.bad_checks));
    std::vector<double> rows;
    for (const GanStep& s : run.history)
        rows.insert(rows.end(), {s.d_loss, s.g_loss, s.d_real, s.d_fake, s.penalty});
    checkpoint.tensors[kHistory] = from_vector(rows, {static_cast<int64_t>(run.history.size()), kColumns});
    checkpoint.tensors[kNumbers] = from_vector<double>({monitor.saturation(), run.best_distance}, {2});
    io::save_checkpoint(path, checkpoint);
}

GanRun load_gan_run(const std::string& path, GanTrainer& trainer, data::Loader& loader,
                    CollapseMonitor& monitor, const io::Checkpoint::Settings& settings) {
    const io::Checkpoint checkpoint = io::load_checkpoint(path);
    checkpoint.require_settings(kGanProgram, settings, path);
    const auto tensor = [&](const std::string& name, const Shape& shape) {
        const auto found = checkpoint.tensors.find(name);
        check(found != checkpoint.tensors.end() && found->second.dtype() == DType::f64 &&
                  found->second.shape() == shape,
              "'{}' has no '{}' of shape {}", path, name, shape);
        return found->second.to_vector<double>();
    };
    const auto iteration = static_cast<int64_t>(checkpoint.integer("iteration"));
    const std::vector<double> numbers = tensor(kNumbers, {2});
    const std::vector<double> rows = tensor(kHistory, {iteration, kColumns});
    GanRun run{.rollbacks = static_cast<int64_t>(checkpoint.integer("rollbacks")),
               .best_distance = numbers[1],
               .bad_checks = static_cast<int64_t>(checkpoint.integer("bad_checks"))};
    for (size_t i = 0; i < rows.size(); i += kColumns)
        run.history.push_back({rows[i], rows[i + 1], rows[i + 2], rows[i + 3], rows[i + 4]});
    const auto position = static_cast<int64_t>(checkpoint.integer("position"));
    trainer.load(checkpoint);
    loader.set_position(position);
    monitor.set_saturation(numbers[0]);
    return run;
}

}  // namespace lily::models
