// SPDX-License-Identifier: MIT
// cp.async at its worst: nothing arrives before it is waited for, and what nobody waits for never does.
#include <cstring>

#include "engine.h"

namespace simt {

void begin_copy(void* to, const void* from, unsigned bytes, unsigned zeros) {
    const void* site = __builtin_return_address(0);
    Worker& worker = *t_worker;
    if ((bytes != 4 && bytes != 8 && bytes != 16) || zeros > bytes)
        worker.complain("an asynchronous copy of other than 4, 8 or 16 bytes", site);
    if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) % bytes != 0)
        worker.complain("an asynchronous copy that is not aligned to its size", site);
    worker.copies().push_back({to, from, bytes, zeros, worker.batch(), site});
    worker.note_copy();
    forget_written(worker, to, bytes);
}

void commit_copies() { ++t_worker->batch(); }

void wait_for_copies(unsigned all_but) {
    auto& copies = t_worker->copies();
    const unsigned batch = t_worker->batch();
    size_t done = 0;
    for (; done < copies.size() && copies[done].batch + all_but < batch; ++done) {
        const Worker::Copy copy = copies[done];
        const unsigned read = copy.bytes - copy.zeros;
        if (copy.zeros == 0) check_access(copy.from, copy.bytes, false, copy.site);
        check_access(copy.to, copy.bytes, true, copy.site);
        std::memcpy(copy.to, copy.from, read);
        std::memset(static_cast<char*>(copy.to) + read, 0, copy.zeros);
    }
    copies.erase(copies.begin(), copies.begin() + static_cast<ptrdiff_t>(done));
}

}  // namespace simt
