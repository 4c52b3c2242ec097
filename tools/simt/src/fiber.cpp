// SPDX-License-Identifier: MIT
#include "fiber.h"

#include <sys/mman.h>

#include <new>

#include "engine.h"
#include "sanitizer.h"

namespace simt {
namespace {

constexpr size_t kGuard = 4096;
constexpr size_t kStack = 256 << 10;  // of addresses; memory only as far as it is used

}  // namespace

Fiber::Fiber(Worker* worker, size_t number) : owner(worker) {
    if (owner == nullptr) return;
    void* mapped = mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    mprotect(mapped, kGuard, PROT_NONE);
    memory = static_cast<std::byte*>(mapped);
    stack = memory + kGuard;
    bytes = kStack;
    begin = kStack - number * 448 % 8192;  // else the hot lines of all stacks share a few sets of the cache
    restart();
}

Fiber::~Fiber() {
    if (memory != nullptr) munmap(memory, kGuard + kStack);
}

void Fiber::restart() {
    unpoison(memory + kGuard, bytes);
    kept = nullptr;
    context = boost::context::detail::make_fcontext(
        memory + kGuard + begin, begin, [](boost::context::detail::transfer_t from) {
            auto* pair = static_cast<Fiber**>(from.data);  // {who switches, to whom}
            Fiber* self = pair[1];
            after_switch(nullptr, self->owner->main_->stack == nullptr ? &self->owner->main_->stack : nullptr,
                         self->owner->main_->bytes == 0 ? &self->owner->main_->bytes : nullptr);
            pair[0]->context = from.fctx;
            self->owner->fiber_main(self);
        });
}

void Worker::switch_to(Fiber* target) {
    Fiber* self = running_;
    running_ = target;
    if (target != main_.get()) {
        stack = reinterpret_cast<uintptr_t>(target->stack);
        stack_bytes = target->bytes;
    }
    Fiber* pair[2] = {self, target};
    before_switch(&self->kept, target->stack, target->bytes);
    const auto from = boost::context::detail::jump_fcontext(target->context, pair);
    // back again, perhaps from a third one
    after_switch(self->kept, nullptr, nullptr);
    static_cast<Fiber**>(from.data)[0]->context = from.fctx;
}

}  // namespace simt
