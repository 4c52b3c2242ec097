# SPDX-License-Identifier: MIT
# Everything we borrow, as the distribution packages it. What is missing is named with its package.

# lily_require(<package> <apt package> [find_package arguments...])
macro(lily_require package apt)
    find_package(${package} QUIET ${ARGN})
    if(NOT ${package}_FOUND)
        message(FATAL_ERROR "${package} not found: apt install ${apt} (or run tools/setup.sh)")
    endif()
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
lily_require(Threads libc6-dev)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    lily_require(OpenMP libomp-dev COMPONENTS CXX)
else()
    lily_require(OpenMP g++ COMPONENTS CXX)
endif()
lily_require(Dnnl libdnnl-dev)
lily_require(fmt libfmt-dev CONFIG)
lily_require(nlohmann_json nlohmann-json3-dev CONFIG)
lily_require(Stb libstb-dev)
lily_require(Exif libexif-dev)
lily_require(CLI11 libcli11-dev CONFIG)
