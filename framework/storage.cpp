// SPDX-License-Identifier: MIT
#include "framework/storage.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "framework/block_cache.h"
#include "framework/capture.h"

namespace lily {
namespace {

constexpr size_t kAlignment = 64;              // a cache line, an AVX-512 register
constexpr size_t kHugePage = size_t{2} << 20;  // blocks of this size and more ask for huge pages

class CpuAllocator final : public BlockCache {
  public:
    CpuAllocator() : BlockCache(false) {}

  private:
    void* ask_system(size_t size) override {
        const size_t alignment = size >= kHugePage ? kHugePage : kAlignment;
        const size_t padded = (size + alignment - 1) / alignment * alignment;
        void* memory = std::aligned_alloc(alignment, padded);
        if (memory && size >= kHugePage) madvise(memory, padded, MADV_HUGEPAGE);
        return memory;
    }
    void give_back(void* memory) noexcept override { std::free(memory); }
    void fill_with_nan(void* memory, size_t size) override {
        std::memset(memory, 0xff, size);  // every float and double in it is NaN
    }
    std::string describe() const override { return "on the CPU"; }
};

}  // namespace

CachingAllocator& allocator(Device device) {
    if (device != Device::cpu) return gpu_allocator(device);
    static auto& cpu = *new CpuAllocator;  // never destroyed: tensors in static objects may outlive main
    return cpu;
}

Queue& default_queue(Device device) {
    if (device != Device::cpu) return gpu_queue(device);
    static auto& cpu = *new Queue(Device::cpu, allocator(Device::cpu));
    return cpu;
}

Storage::Storage(Device device, size_t bytes)
    : device_(device), bytes_(bytes), data_(allocator(device).allocate(bytes)) {}

Storage::Storage(Device device, void* memory, size_t bytes, std::shared_ptr<const void> owner)
    : device_(device), bytes_(bytes), data_(memory), owner_(std::move(owner)) {}

Storage::Storage(const std::shared_ptr<Storage>& whole, size_t offset, size_t bytes)
    : device_(whole->device()),
      bytes_(bytes),
      data_(static_cast<std::byte*>(whole->data()) + offset),
      owner_(whole),
      whole_(whole.get()) {}

Storage::~Storage() {
    if (!owner_) allocator(device_).release(data_, bytes_);
}

void Storage::bump_version() {
    if (whole_) return whole_->bump_version();
    version_ = next_version();
    note_write_in_capture(*this);
}

uint64_t Storage::next_version() {
    static std::atomic<uint64_t> last{0};
    return ++last;
}

std::shared_ptr<Storage> Storage::derived(uint64_t plan,
                                          const std::function<std::shared_ptr<Storage>()>& make) {
    const std::lock_guard lock(derived_mutex_);
    for (Derived& entry : derived_)
        if (entry.plan == plan) {
            if (entry.version != version()) entry = {plan, version(), make()};
            return entry.storage;
        }
    derived_.push_back({plan, version(), make()});
    return derived_.back().storage;
}

}  // namespace lily
