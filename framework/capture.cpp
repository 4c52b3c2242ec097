// SPDX-License-Identifier: MIT
#include "framework/capture.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "framework/autograd.h"
#include "framework/block_cache.h"
#include "framework/error.h"
#include "framework/profiler.h"
#include "kernels/common/gpu.h"

namespace lily {
namespace {

// Numbers of the host's that a replay reads, and where they lie among all of them.
struct Numbers {
    size_t offset;
    std::function<void(void*)> compute;
};
constexpr size_t kAlignment = 16;

}  // namespace

struct CapturedStep::State {
    Device device;
    std::function<void()> step;
    std::shared_ptr<BlockPool> pool;  // null before the second run
    kernels::GpuGraph graph;
    bool settled = false;     // the last run asked the system for no memory
    size_t number_bytes = 0;  // that each_replay() was asked for in the last run
    std::vector<Numbers> numbers;
    std::vector<std::byte> host_numbers;
    std::shared_ptr<Storage> gpu_numbers;  // null: the step has none
    std::vector<std::shared_ptr<const void>> kept;
    std::vector<std::shared_ptr<Storage>> written;  // in each replay, and not the step's own
    std::vector<std::pair<std::shared_ptr<GradSlot>, Tensor>> gradients;  // that the recorded run has left

    State(Device d, std::function<void()> f) : device(d), step(std::move(f)) {}
    ~State() {
        if (graph.executable) kernels::gpu(device).destroy_graph(graph);
        if (pool) gpu_allocator(device).close_pool(*pool);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void run_on_cpu();
    void run();
    bool record();
    void launch();
};

namespace {

// The step that this thread is in.
struct Inside {
    Device device;
    std::shared_ptr<BlockPool> pool;
    bool recording;
    std::shared_ptr<Storage> gpu_numbers;
    size_t number_bytes = 0;
    std::vector<Numbers> numbers = {};
    std::vector<std::shared_ptr<const void>> kept = {};
    std::set<std::weak_ptr<Storage>, std::owner_less<>> written = {};
    std::vector<std::shared_ptr<GradSlot>> leaves = {};  // that it has given gradients
};
thread_local Inside* inside = nullptr;

// While one lives, the thread is in the step and its memory comes from the pool.
class Entered {
  public:
    Entered(Device device, const std::shared_ptr<BlockPool>& pool, std::shared_ptr<Storage> numbers,
            bool recording)
        : now_{.device = device, .pool = pool, .recording = recording, .gpu_numbers = std::move(numbers)} {
        check(inside == nullptr, "[capture] a captured step cannot contain another");
        inside = &now_;
        if (device != Device::cpu) gpu_allocator(device).use_pool(pool, recording);
    }
    ~Entered() {
        if (now_.device != Device::cpu) gpu_allocator(now_.device).use_pool(nullptr);
        inside = nullptr;
    }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;
    Inside& operator*() { return now_; }

  private:
    Inside now_;
};

// One at a time: a device has one stream to record in.
std::mutex recording_mutex;

}  // namespace

void CapturedStep::State::run_on_cpu() {
    check(!Profiler::active(),
          "[profiler] a captured step cannot be timed by its ops: profile it without capture()");
    const Entered entered(device, nullptr, nullptr, false);
    step();
}

// The first time outside of the pool: what is made once and kept (plans, an optimiser's state) is nobody's.
void CapturedStep::State::run() {
    const int64_t before = pool ? pool->asked : -1;
    {
        Entered entered(device, pool, nullptr, false);
        step();
        number_bytes = (*entered).number_bytes;
    }
    if (pool)
        settled = pool->asked == before;
    else
        pool = std::make_shared<BlockPool>();
}

// False: the step wanted other memory than in its last run; nothing has been done.
bool CapturedStep::State::record() {
    const kernels::GpuRuntime& gpu = kernels::gpu(device);
    const std::lock_guard lock(recording_mutex);
    gpu_numbers = number_bytes > 0 ? std::make_shared<Storage>(device, number_bytes) : nullptr;
    Entered entered(device, pool, gpu_numbers, true);
    const RecordingQueue queue(device);
    void* const stream = default_queue(device).stream();
    gpu.begin_capture(stream);
    try {
        step();
        graph = gpu.end_capture(stream);
        numbers = std::move((*entered).numbers);
        host_numbers.resize(number_bytes);
        kept = std::move((*entered).kept);
        for (const auto& storage : (*entered).written)
            if (auto alive = storage.lock()) written.push_back(std::move(alive));
        for (const auto& leaf : (*entered).leaves) gradients.emplace_back(leaf, leaf->grad);
        return true;
    } catch (const PoolExhausted&) {
        gpu.abandon_capture(stream);
        settled = false;
        return false;
    } catch (...) {
        gpu.abandon_capture(stream);
        throw;
    }
}

void CapturedStep::State::launch() {
    for (const Numbers& n : numbers) n.compute(host_numbers.data() + n.offset);
    if (gpu_numbers) copy_bytes(device, gpu_numbers->data(), Device::cpu, host_numbers.data(), number_bytes);
    kernels::gpu(device).launch_graph(default_queue(device).stream(), graph);
    for (const auto& [leaf, gradient] : gradients) leaf->grad = gradient;
}

void CapturedStep::replay() {
    State& s = *state_;
    refuse_in_capture("capture", "contain another");
    if (s.device == Device::cpu) return s.run_on_cpu();
    if (!s.graph.executable) {
        if (!s.settled || !s.record()) return s.run();
        return s.launch();  // recording it has changed the versions
    }
    s.launch();
    for (const auto& storage : s.written) storage->bump_version();
}

bool CapturedStep::recorded() const { return state_->graph.executable != nullptr; }
int64_t CapturedStep::launches() const { return state_->graph.nodes; }

CapturedStep capture(Device device, std::function<void()> step) {
    const std::string problem = device_problem(device);
    check(problem.empty(), "[capture] {}", problem);
    check(step != nullptr, "[capture] expected a function");
    return CapturedStep(std::make_shared<CapturedStep::State>(device, std::move(step)));
}

void refuse_in_capture(const char* op, const char* what) {
    check(inside == nullptr, "[{}] a captured step cannot {}", op, what);
}
void refuse_in_capture_on(Device device, const char* op, const char* what) {
    if (inside && inside->device == device) refuse_in_capture(op, what);
}

void* each_replay(size_t bytes, std::function<void(void*)> compute) {
    if (!inside) return nullptr;
    const size_t offset = inside->number_bytes;
    inside->number_bytes += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (!inside->recording) return nullptr;
    if (!inside->gpu_numbers || inside->number_bytes > inside->gpu_numbers->bytes())
        throw PoolExhausted("[capture] the step uses numbers that it did not use before");
    inside->numbers.push_back({offset, std::move(compute)});
    return static_cast<std::byte*>(inside->gpu_numbers->data()) + offset;
}

void require_device_of_capture(Device device) {
    if (inside && inside->device != device)
        fail(
            "[random] a captured step on {0} cannot draw random numbers on {1}: a replay would repeat them; "
            "draw them on {0}",
            name(inside->device), name(device));
}

void note_write_in_capture(Storage& storage) {
    if (inside && inside->recording) inside->written.insert(storage.weak_from_this());
}

void keep_in_capture(std::shared_ptr<const void> memory) {
    if (inside && inside->recording) inside->kept.push_back(std::move(memory));
}

void keep_gradient_in_capture(const std::shared_ptr<GradSlot>& leaf) {
    if (inside && !gradient_is_of_capture(leaf)) inside->leaves.push_back(leaf);
}

bool gradient_is_of_capture(const std::shared_ptr<GradSlot>& leaf) {
    return inside && std::find(inside->leaves.begin(), inside->leaves.end(), leaf) != inside->leaves.end();
}

OutsideOfCapture::OutsideOfCapture(const char* op) : before_(inside) {
    if (!inside) return;
    if (inside->recording)
        throw PoolExhausted(
            fmt::format("[{}] the step makes something to keep that it did not need before", op));
    if (inside->device != Device::cpu) gpu_allocator(inside->device).use_pool(nullptr);
    inside = nullptr;
}

OutsideOfCapture::~OutsideOfCapture() {
    if (!before_) return;
    inside = static_cast<Inside*>(before_);
    if (inside->device != Device::cpu) gpu_allocator(inside->device).use_pool(inside->pool);
}

}  // namespace lily
