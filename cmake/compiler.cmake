# SPDX-License-Identifier: MIT
# The compiler's version, the language, and the target lily_flags: what every one of our own files is compiled with.
if((CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
   OR (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14))
    message(FATAL_ERROR "lily needs g++ 12 or clang++ 14 (C++20); ${CMAKE_CXX_COMPILER} is ${CMAKE_CXX_COMPILER_VERSION}:"
            " install a newer one and pass -DCMAKE_CXX_COMPILER=g++-12")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

add_library(lily_flags INTERFACE)
target_compile_options(lily_flags INTERFACE -Wall -Wextra $<$<BOOL:${LILY_WERROR}>:-Werror>)
# sqrt sets no errno and no one reads the floating-point traps: without these two, g++ keeps such loops scalar.
# No -ffast-math (NaN must stay NaN) and no -march=native (the vector kernels carry a version per instruction set).
target_compile_options(lily_flags INTERFACE -fno-math-errno -fno-trapping-math)
# g++ 12 sees overlaps that are none in "text" + std::string (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(lily_flags INTERFACE -Wno-restrict)
endif()

# A program loads the libraries that it calls: not MPI's if it only restyles a picture.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    add_link_options(-Wl,--as-needed)
endif()

# Instrumentation goes to every target, the C++ library's checks included.
if(LILY_SANITIZE)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
    add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()
if(LILY_COVERAGE)
    # Plain counters, which stay out of the inner loops where atomic ones cannot: tests/CMakeLists.txt runs one thread.
    # Inlining before the counting would drop the inlined lines.
    add_compile_options(--coverage -fprofile-update=single -fno-early-inlining)
    add_link_options(--coverage)
endif()
if(LILY_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "LILY_FUZZ needs clang++ (libFuzzer): apt install clang, then cmake --preset fuzz")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
