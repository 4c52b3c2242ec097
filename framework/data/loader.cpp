// SPDX-License-Identifier: MIT
#include "framework/data/loader.h"

#include <numeric>

#include "framework/capture.h"
#include "framework/data/transforms.h"
#include "framework/random.h"
#include "kernels/random/random.h"

namespace lily::data {
namespace {

constexpr size_t kAhead = 2;  // batches prepared before they are asked for

// 0…255 -> -1…1
void copy_pixels(const Dataset& set, const int64_t* indices, int64_t count, float* out) {
    const int64_t size = set.picture_size();
    for (int64_t i = 0; i < count; ++i) {
        const uint8_t* picture = set.pixels.data() + indices[i] * size;
        for (int64_t k = 0; k < size; ++k) out[i * size + k] = static_cast<float>(picture[k]) / 127.5f - 1.0f;
    }
}

}  // namespace

struct Loader::Prepared {
    std::vector<float> pixels;
    Batch batch;
};

Loader::Loader(const Dataset& set, const LoaderOptions& options) : set_(set), options_(options) {
    check(options.batch_size >= 1, "[loader] expected a batch of at least 1, got {}", options.batch_size);
    check(options.world_size >= 1 && options.rank >= 0 && options.rank < options.world_size,
          "[loader] expected a rank from 0 to below the world's size, got {} of {}", options.rank,
          options.world_size);
    check(set.count / options.batch_size >= options.world_size,
          "[loader] the data have {} pictures, fewer than a batch of {}{}", set.count, options.batch_size,
          options.world_size > 1 ? fmt::format(" for each of {} ranks", options.world_size) : "");
    check(options.parts >= 1 && options.batch_size % options.parts == 0,
          "[loader] expected a batch that is a multiple of {} parts, got {}", options.parts,
          options.batch_size);
    start();
}

Loader::~Loader() { stop(); }

void Loader::start() {
    failed_ = nullptr;
    worker_ = std::thread([this, from = position_] {
        try {
            work(from);
        } catch (...) {  // next() throws it, where the pictures are missed
            const std::lock_guard lock(mutex_);
            failed_ = std::current_exception();
            changed_.notify_all();
        }
    });
}

void Loader::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (worker_.joinable()) worker_.join();
    stopping_ = false;
    ready_.clear();
}

void Loader::set_position(int64_t position) {
    check(position >= 0, "[loader] expected a position of at least 0, got {}", position);
    stop();
    position_ = position;
    start();
}

void Loader::work(int64_t position) {
    const int64_t n = options_.batch_size, size = set_.picture_size(), share = n / options_.parts;
    int64_t epoch = -1;
    std::vector<int64_t> order;
    std::vector<uint64_t> words(static_cast<size_t>(2 * share));
    for (;; position += per_step()) {
        auto prepared = std::make_unique<Prepared>();
        Batch& batch = prepared->batch;
        // This rank's share of part p begins here.
        const auto begin = [&](int64_t p) {
            return position + p * share * options_.world_size + options_.rank * share;
        };
        batch.position = begin(0);
        batch.epoch = batch.position / set_.count;
        for (int64_t i = 0; i < n; ++i) {
            const int64_t at = begin(i / share) + i % share;
            if (at / set_.count != epoch) {
                epoch = at / set_.count;
                order = random_order(
                    set_.count,
                    Generator(options_.seed, Stream::order, static_cast<uint32_t>(epoch)).state());
            }
            batch.indices.push_back(order[static_cast<size_t>(at % set_.count)]);
        }
        prepared->pixels.resize(static_cast<size_t>(n * size));
        copy_pixels(set_, batch.indices.data(), n, prepared->pixels.data());
        if (!set_.labels.empty())
            for (const int64_t i : batch.indices) batch.labels.push_back(set_.labels[static_cast<size_t>(i)]);
        for (int64_t p = 0; p < options_.parts && options_.mirror;
             ++p) {  // sample i has block i of its stream
            kernels::random_integers(Device::cpu)
                .words(default_queue(Device::cpu),
                       {options_.seed, static_cast<uint64_t>(begin(p)),
                        static_cast<uint64_t>(Stream::augmentation)},
                       2 * share, words.data());
            for (int64_t i = 0; i < share; ++i)
                if (words[static_cast<size_t>(2 * i)] >> 63)
                    mirror(prepared->pixels.data() + (p * share + i) * size, set_.size());
        }

        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopping_ || ready_.size() < kAhead; });
        if (stopping_) return;
        ready_.push_back(std::move(prepared));
        changed_.notify_all();
    }
}

Batch Loader::next(Device device) {
    refuse_in_capture_on(device, "copy", kCopiesFromHost);
    std::shared_ptr<Prepared> prepared;
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !ready_.empty() || failed_; });
        if (ready_.empty()) std::rethrow_exception(failed_);
        prepared = std::move(ready_.front());
        ready_.pop_front();
    }
    changed_.notify_all();
    position_ += per_step();
    Batch batch = std::move(prepared->batch);
    void* memory = prepared->pixels.data();
    const size_t bytes = prepared->pixels.size() * sizeof(float);
    batch.pixels = Tensor({options_.batch_size, set_.picture_size()}, {},
                          std::make_shared<Storage>(Device::cpu, memory, bytes, std::move(prepared)))
                       .to(device);
    return batch;
}

Tensor to_pixels(const Dataset& set, const std::vector<int64_t>& indices) {
    const auto count = static_cast<int64_t>(indices.size());
    Tensor pixels = empty({count, set.picture_size()});
    for (const int64_t i : indices)
        check(i >= 0 && i < set.count, "[to_pixels] picture {} of {}", i, set.count);
    copy_pixels(set, indices.data(), count, pixels.mutable_data<float>());
    return pixels;
}

Tensor to_pixels(const Dataset& set, int64_t begin, int64_t end) {
    std::vector<int64_t> indices(static_cast<size_t>(std::max<int64_t>(0, end - begin)));
    std::iota(indices.begin(), indices.end(), begin);
    return to_pixels(set, indices);
}

}  // namespace lily::data
