// SPDX-License-Identifier: MIT
#include "kernels/common/cuda_libraries.h"

#include <dlfcn.h>

#include "kernels/common/dispatch.h"

extern "C" int lily_no_library_status() { return 1; }  // CUBLAS_STATUS_NOT_INITIALIZED
extern "C" const char* lily_no_library_text() { return "its library is not loaded"; }

namespace lily::kernels::cuda {
namespace {

struct Loaded {
    void* handle = nullptr;
    std::string problem;
};

Loaded load(const std::string& file, const std::string& build_dir) {
    Loaded library;
    library.handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library.handle) return library;
    library.problem = dlerror();
    library.handle = dlopen((build_dir + "/" + file).c_str(), RTLD_NOW | RTLD_LOCAL);
    return library;
}

[[maybe_unused]] std::string load_all() {
    const LibraryCalls build = library_calls();
    Loaded libraries[3];
    for (size_t i = 0; i < build.calls.size(); ++i) {
        const auto [which, name] = build.calls[i];
        Loaded& library = libraries[static_cast<int>(which)];
        const std::string file = which == Library::cublas     ? build.cublas
                                 : which == Library::cublasLt ? build.cublas_lt
                                                              : build.cudnn;
        if (!library.handle) library = load(file, build.build_dir);
        if (!library.handle) return library.problem;
        void* target = dlsym(library.handle, name);
        if (!target) return file + " is too old: it has no " + name;
        build.targets[i] = target;
    }
    return "";
}

}  // namespace

const std::string& libraries_problem() {
    static const std::string problem = [] {
        if constexpr (kHasCuda) return load_all();
        return std::string("this build has no CUDA device");
    }();
    return problem;
}

}  // namespace lily::kernels::cuda
