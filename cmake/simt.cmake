# SPDX-License-Identifier: MIT
# The software GPU: CUDA sources compiled by g++ against tools/simt/include. See docs/simt.md.
file(GLOB simt_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/simt/src/*.cpp)
add_library(lily_simt STATIC ${simt_sources})
add_library(lily::simt ALIAS lily_simt)
target_include_directories(lily_simt PRIVATE ${PROJECT_SOURCE_DIR}/tools/simt/include)
target_link_libraries(lily_simt PRIVATE $<BUILD_INTERFACE:lily_flags> Boost::context Dnnl::dnnl backtrace Threads::Threads)
target_compile_features(lily_simt PUBLIC cxx_std_20)
set_target_properties(lily_simt PROPERTIES EXPORT_NAME simt)

# Its headers, for host code that asks it about faults and counters. They hide the toolkit's, so nobody inherits them.
add_library(lily_simt_headers INTERFACE)
target_include_directories(lily_simt_headers INTERFACE ${PROJECT_SOURCE_DIR}/tools/simt/include)

# The x-ray is the thread sanitizer's instrumentation with our own functions behind it (tools/simt/src/xray.cpp); g++ has
# no address sanitizer beside it. Structures stay whole, so that a float4 is one load; loops stay as they are written, and
# two barriers two.
set(simt_options -Wno-unknown-pragmas -fno-tree-sra -fno-tree-vectorize -fno-crossjumping
    -fno-tree-tail-merge -fno-gnu-unique $<$<NOT:$<CONFIG:Debug>>:-O2>
    $<IF:$<CONFIG:Debug>,-g,-g1>)
if(NOT LILY_SANITIZE)
    list(APPEND simt_options -fsanitize=thread -Wno-tsan --param=tsan-instrument-func-entry-exit=0
         --param=tsan-distinguish-volatile=1
         -fno-builtin-memcpy -fno-builtin-memmove -fno-builtin-memset -fno-optimize-sibling-calls
         -include ${PROJECT_SOURCE_DIR}/tools/simt/include/simt/block_memory.h)
endif()

option(LILY_SIMT_ARITHMETIC "the software GPU reports integer overflow and shifts out of range in all kernels" OFF)
set(simt_arithmetic_options -fsanitize=shift,signed-integer-overflow)  # tools/simt/src/arithmetic.cpp

# lily_simt_sources(<target> <dir> [root]): compiles every .cu file below <dir> of <root> (the project) into the target,
# for the software GPU. CMake ties a file to one language, so each is included by a .cpp file of one line.
function(lily_simt_sources target dir)
    set(root ${ARGN} ${PROJECT_SOURCE_DIR})
    list(GET root 0 root)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE ${root} ${root}/${dir}/*.cu)
    foreach(source IN LISTS sources)
        set(generated ${PROJECT_BINARY_DIR}/simt/${source}.cpp)
        file(CONFIGURE OUTPUT ${generated} CONTENT "#include \"${source}\"\n")
        target_sources(${target} PRIVATE ${generated})
        set(arithmetic "")
        if(NOT LILY_SANITIZE AND (LILY_SIMT_ARITHMETIC OR source MATCHES "^tests/simt/arithmetic"))
            set(arithmetic ${simt_arithmetic_options})
        endif()
        set_source_files_properties(${generated} TARGET_DIRECTORY ${target} PROPERTIES
            COMPILE_OPTIONS "${simt_options};${arithmetic}" COMPILE_DEFINITIONS LILY_CUDA_DEVICE=simt
            INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/tools/simt/include;${root};${PROJECT_SOURCE_DIR}")
    endforeach()
    target_link_libraries(${target} PRIVATE lily_simt)
endfunction()
