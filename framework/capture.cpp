// SPDX-License-Identifier: MIT
#include "framework/capture.h"

#include <algorithm>

#include "framework/autograd.h"
#include "framework/block_cache.h"
#include "framework/error.h"
#include "kernels/common/gpu.h"

namespace lily {

struct CapturedStep::State {
    Device device;
    std::function<void()> step;
    std::shared_ptr<BlockPool> pool;  // null before the second run
    kernels::GpuGraph graph;
    bool settled = false;  // the last run asked the system for no memory
    std::vector<std::shared_ptr<const void>> kept;
    std::vector<std::pair<std::shared_ptr<GradSlot>, Tensor>> gradients;  // that the recorded run has left

    State(Device d, std::function<void()> f) : device(d), step(std::move(f)) {}
    ~State() {
        if (graph.executable) kernels::gpu(device).destroy_graph(graph);
        if (pool) gpu_allocator(device).close_pool(*pool);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void run();
    bool record();
};

namespace {

// The step that this thread is in.
struct Inside {
    Device device;
    std::shared_ptr<BlockPool> pool;
    bool recording;
    std::vector<std::shared_ptr<const void>> kept;
    std::vector<std::shared_ptr<GradSlot>> leaves;  // that it has given gradients
};
thread_local Inside* inside = nullptr;

// While one lives, the thread is in the step and its memory comes from the pool.
class Entered {
  public:
    Entered(Device device, const std::shared_ptr<BlockPool>& pool, bool recording)
        : now_{device, pool, recording, {}, {}} {
        check(inside == nullptr, "[capture] a captured step cannot contain another");
        inside = &now_;
        gpu_allocator(device).use_pool(pool, recording);
    }
    ~Entered() {
        gpu_allocator(now_.device).use_pool(nullptr);
        inside = nullptr;
    }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;
    const auto& kept() const { return now_.kept; }
    const auto& leaves() const { return now_.leaves; }

  private:
    Inside now_;
};

}  // namespace

// The first time outside of the pool: what is made once and kept (plans, an optimiser's state) is nobody's.
void CapturedStep::State::run() {
    const int64_t before = pool ? pool->asked : -1;
    {
        const Entered entered(device, pool, false);
        step();
    }
    if (pool)
        settled = pool->asked == before;
    else
        pool = std::make_shared<BlockPool>();
}

// False: the step wanted other memory than in its last run; nothing has been done.
bool CapturedStep::State::record() {
    const kernels::GpuRuntime& gpu = kernels::gpu(device);
    void* const stream = default_queue(device).stream();
    const Entered entered(device, pool, true);
    gpu.begin_capture(stream);
    try {
        step();
        graph = gpu.end_capture(stream);
        kept = entered.kept();
        for (const auto& leaf : entered.leaves()) gradients.emplace_back(leaf, leaf->grad);
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

void CapturedStep::replay() {
    State& s = *state_;
    if (s.device == Device::cpu) return s.step();
    if (!s.graph.executable && !(s.settled && s.record())) return s.run();
    kernels::gpu(s.device).launch_graph(default_queue(s.device).stream(), s.graph);
    for (const auto& [leaf, gradient] : s.gradients) leaf->grad = gradient;
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
    check(!inside->recording, "[{}] a step that is being recorded needs a table that it did not need before",
          op);
    gpu_allocator(inside->device).use_pool(nullptr);
    inside = nullptr;
}

OutsideOfCapture::~OutsideOfCapture() {
    if (!before_) return;
    inside = static_cast<Inside*>(before_);
    gpu_allocator(inside->device).use_pool(inside->pool);
}

}  // namespace lily
