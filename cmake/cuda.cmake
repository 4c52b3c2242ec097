# SPDX-License-Identifier: MIT
# The CUDA device: LILY_CUDA=AUTO (where nvcc is installed), ON or OFF. The runtime is linked statically, or shared with
# -DCMAKE_CUDA_RUNTIME_LIBRARY=Shared. Driver, cuBLAS and cuDNN are looked for when a program asks for the device, so that
# one binary runs with and without a GPU.
set(LILY_CUDA AUTO CACHE STRING "Build the CUDA device: AUTO (if nvcc is there), ON or OFF")
set_property(CACHE LILY_CUDA PROPERTY STRINGS AUTO ON OFF)
set(LILY_CUDA_OLDEST 12.4)

set(LILY_CUDA_LEAST 80)  # compute capability: tensor_core_tile.h has TF32 and bf16

# The compiler that was asked for (CMAKE_CUDA_COMPILER, which a build folder keeps, else CUDACXX in the environment, a
# command), or the nvcc of CUDA_PATH, of PATH, of /usr/local/cuda.
unset(lily_chosen_nvcc)
if(NOT "$ENV{CUDACXX}" STREQUAL "")
    separate_arguments(command UNIX_COMMAND "$ENV{CUDACXX}")
    list(GET command 0 command)
    find_program(lily_chosen_nvcc NAMES ${command} NO_CACHE)
    if(NOT lily_chosen_nvcc)
        set(lily_chosen_nvcc ${command})
    endif()
    if(CMAKE_CUDA_COMPILER AND NOT CMAKE_CUDA_COMPILER STREQUAL lily_chosen_nvcc)
        message(WARNING "CUDACXX=${lily_chosen_nvcc} is ignored, this build has ${CMAKE_CUDA_COMPILER}: cmake --fresh begins anew")
    endif()
elseif(NOT CMAKE_CUDA_COMPILER)
    find_program(LILY_NVCC nvcc HINTS ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin)
    mark_as_advanced(LILY_NVCC)
    set(lily_chosen_nvcc ${LILY_NVCC})
endif()
if(CMAKE_CUDA_COMPILER)
    set(lily_chosen_nvcc ${CMAKE_CUDA_COMPILER})
endif()
# cuDNN's headers alone: they may lie among those of a toolkit that is not the chosen one.
set(lily_cudnn_headers ${CMAKE_CURRENT_BINARY_DIR}/cudnn_headers)

# lily_find_nvcc(<result>): the compiler, or "" and a line that says why the CUDA device is not built.
function(lily_find_nvcc result)
    set(${result} "" PARENT_SCOPE)
    set(hint "install a CUDA toolkit of version ${LILY_CUDA_OLDEST} or later, or pass -DLILY_CUDA=OFF")
    set(missing "")
    if(NOT lily_chosen_nvcc)
        set(missing "nvcc not found")
    else()
        execute_process(COMMAND ${lily_chosen_nvcc} --version OUTPUT_VARIABLE version ERROR_QUIET)
        if(NOT version MATCHES "release ([0-9.]+)")
            set(missing "${lily_chosen_nvcc} --version does not say what it is")
        elseif(CMAKE_MATCH_1 VERSION_LESS LILY_CUDA_OLDEST)
            set(missing "${lily_chosen_nvcc} is of version ${CMAKE_MATCH_1}")
        endif()
    endif()
    if(NOT missing)
        lily_find_cudnn()
        if(NOT LILY_CUDNN_INCLUDE_DIR)
            set(missing "cudnn.h not found (cuDNN 9 comes apart from the toolkit; -DLILY_CUDNN_INCLUDE_DIR=... names its place)")
        endif()
    endif()
    if(NOT missing)
        set(${result} ${lily_chosen_nvcc} PARENT_SCOPE)
    elseif(LILY_CUDA STREQUAL AUTO)
        message(STATUS "No CUDA device in this build: ${missing}")
    else()
        message(FATAL_ERROR "LILY_CUDA=${LILY_CUDA}, but ${missing}: ${hint}")
    endif()
endfunction()

# lily_toolkit_folder(<result>): the toolkit's, that of the chosen compiler; "" without one.
function(lily_toolkit_folder result)
    set(${result} "" PARENT_SCOPE)
    if(lily_chosen_nvcc)
        file(REAL_PATH ${lily_chosen_nvcc} folder)
        cmake_path(GET folder PARENT_PATH folder)
        cmake_path(GET folder PARENT_PATH folder)
        set(${result} ${folder} PARENT_SCOPE)
    endif()
endfunction()

# lily_find_cudnn(): LILY_CUDNN_INCLUDE_DIR, and links to its headers in lily_cudnn_headers.
function(lily_find_cudnn)
    lily_toolkit_folder(toolkit)
    find_path(LILY_CUDNN_INCLUDE_DIR cudnn.h HINTS ENV CUDNN_PATH ${toolkit} PATH_SUFFIXES include PATHS /usr/local/cuda/include)
    mark_as_advanced(LILY_CUDNN_INCLUDE_DIR)
    file(REMOVE_RECURSE ${lily_cudnn_headers})
    file(MAKE_DIRECTORY ${lily_cudnn_headers})
    file(GLOB headers ${LILY_CUDNN_INCLUDE_DIR}/cudnn*.h)
    foreach(header IN LISTS headers)
        cmake_path(GET header FILENAME name)
        file(CREATE_LINK ${header} ${lily_cudnn_headers}/${name} SYMBOLIC)
    endforeach()
endfunction()

# lily_check_architectures(<list>): stops at those that the kernels do not compile for.
function(lily_check_architectures)
    set(hint "the kernels need ${LILY_CUDA_LEAST} or later: pass the GPU's own, or leave out -DCMAKE_CUDA_ARCHITECTURES for the usual ones")
    foreach(architecture IN LISTS ARGN)
        if(architecture MATCHES "^all(-major)?$")
            message(FATAL_ERROR "CMAKE_CUDA_ARCHITECTURES=${architecture} names architectures before ${LILY_CUDA_LEAST}, and ${hint}")
        elseif(architecture STREQUAL native)
            continue()  # known when the language is enabled
        elseif(NOT architecture MATCHES "^([0-9]+)[af]?(-real|-virtual)?$")
            message(FATAL_ERROR "CMAKE_CUDA_ARCHITECTURES has ${architecture}, which is no architecture: a number like 89, 89-real or 89-virtual is")
        elseif(CMAKE_MATCH_1 LESS LILY_CUDA_LEAST)
            message(FATAL_ERROR "CMAKE_CUDA_ARCHITECTURES has ${architecture}, and ${hint}")
        endif()
    endforeach()
endfunction()

# lily_default_architectures(<version of nvcc> <result>): real code for those that are common; PTX of the first for GPUs of
# families between them, and for tools that read it, of the last for what comes after.
function(lily_default_architectures version result)
    if(version VERSION_LESS 12.8)
        set(${result} 80 90 PARENT_SCOPE)
    else()
        set(${result} 80 90-real 100-real 120 PARENT_SCOPE)
    endif()
endfunction()

set(lily_has_cuda OFF)
if(LILY_CUDA AND NOT (LILY_SANITIZE OR LILY_COVERAGE OR LILY_FUZZ))  # these build the sources for simt
    lily_find_nvcc(lily_nvcc)
    if(lily_nvcc)
        set(lily_has_cuda ON)
    endif()
endif()
if(NOT lily_has_cuda)
    return()
endif()

if(CMAKE_CUDA_COMPILER OR "$ENV{CUDACXX}" STREQUAL "")  # else CMake reads the command itself, with its options
    set(CMAKE_CUDA_COMPILER ${lily_nvcc} CACHE FILEPATH "nvcc")
endif()
if(NOT CMAKE_CUDA_HOST_COMPILER AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
endif()
set(own_architectures ${CMAKE_CUDA_ARCHITECTURES})
if(NOT own_architectures)
    set(own_architectures $ENV{CUDAARCHS})
endif()
lily_check_architectures(${own_architectures})
set(CMAKE_CUDA_ARCHITECTURES 80)  # for CMake's own test of the compiler
enable_language(CUDA)
if(own_architectures STREQUAL native)
    set(own_architectures ${CMAKE_CUDA_ARCHITECTURES_NATIVE})
    if(NOT own_architectures)
        message(FATAL_ERROR "CMAKE_CUDA_ARCHITECTURES=native, but there is no GPU here: pass a number, 89 for one of 8.9")
    endif()
    lily_check_architectures(${own_architectures})
endif()
if(own_architectures)
    set(CMAKE_CUDA_ARCHITECTURES ${own_architectures})
else()
    lily_default_architectures(${CMAKE_CUDA_COMPILER_VERSION} CMAKE_CUDA_ARCHITECTURES)
endif()
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know it of nvcc 13
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
endif()
lily_require(CUDAToolkit "a CUDA toolkit of version ${LILY_CUDA_OLDEST} or later, or pass -DLILY_CUDA=OFF" ${LILY_CUDA_OLDEST})
set(lily_cudart CUDA::cudart_static)
if(CMAKE_CUDA_RUNTIME_LIBRARY STREQUAL "Shared")
    set(lily_cudart CUDA::cudart)
endif()
message(STATUS "The CUDA device: nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}, ${lily_cudart}")

# lily_cuda_sources(<target> <dir>): compiles every .cu file below <dir> into the target, for real GPUs.
function(lily_cuda_sources target dir)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${dir}/*.cu)
    add_library(${target}_cuda OBJECT ${sources})  # of its own: the other flags are the C++ compiler's
    target_include_directories(${target}_cuda PRIVATE ${PROJECT_SOURCE_DIR})
    target_include_directories(${target}_cuda SYSTEM PRIVATE ${lily_cudnn_headers})
    target_compile_definitions(${target}_cuda PRIVATE LILY_CUDA_DEVICE=cuda)
    # A register that is spilled to memory is an error.
    target_compile_options(${target}_cuda PRIVATE --expt-relaxed-constexpr -lineinfo -Xcompiler=-Wall,-Wextra
                           -Xptxas=-warn-spills,-Werror $<$<BOOL:${LILY_WERROR}>:-Werror=all-warnings>)
    set_target_properties(${target}_cuda PROPERTIES CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF)

    # The libraries' functions that the sources call, as functions of ours that jump to what is loaded at run time.
    set(calls ${PROJECT_BINARY_DIR}/${target}_library_calls.cpp)
    add_custom_command(OUTPUT ${calls} COMMAND_EXPAND_LISTS VERBATIM
        COMMAND ${CMAKE_COMMAND} -D nm=${CMAKE_NM} -D output=${calls} -P ${PROJECT_SOURCE_DIR}/cmake/library_calls.cmake
                -- $<TARGET_OBJECTS:${target}_cuda>
        DEPENDS $<TARGET_OBJECTS:${target}_cuda> ${PROJECT_SOURCE_DIR}/cmake/library_calls.cmake)
    set_source_files_properties(${calls} PROPERTIES
        INCLUDE_DIRECTORIES "${CUDAToolkit_INCLUDE_DIRS};${lily_cudnn_headers}"
        COMPILE_DEFINITIONS "LILY_CUDA_LIBRARY_DIR=\"${CUDAToolkit_LIBRARY_DIR}\"")
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_cuda> ${calls})
    target_link_libraries(${target} PRIVATE $<LINK_ONLY:${lily_cudart}> ${CMAKE_DL_LIBS})
    target_compile_definitions(${target} PRIVATE LILY_HAS_CUDA)
endfunction()

# lily_gpu_resources(<target>): the tool behind docs/gpu_resources.md, which holds registers, memory and occupancy of every
# kernel of the target; update_gpu_resources writes the page, tests/CMakeLists.txt compares it with the build.
function(lily_gpu_resources target)
    add_executable(gpu_resources tools/gpu_resources.cpp tools/gpu_resources/cubin.cpp tools/gpu_resources/occupancy.cpp)
    target_link_libraries(gpu_resources PRIVATE lily_flags fmt::fmt)
    target_include_directories(gpu_resources PRIVATE ${PROJECT_SOURCE_DIR})
    target_include_directories(gpu_resources SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
    set(table ${PROJECT_SOURCE_DIR}/docs/gpu_resources.md)
    set(arguments ${CMAKE_CUDA_COMPILER_VERSION} write ${table} $<TARGET_OBJECTS:${target}_cuda>)
    add_custom_target(update_gpu_resources COMMAND gpu_resources ${arguments} VERBATIM COMMAND_EXPAND_LISTS)
    add_dependencies(update_gpu_resources ${target}_cuda)
    list(TRANSFORM arguments REPLACE "^write$" "check")
    set(lily_gpu_resources_check gpu_resources ${arguments} PARENT_SCOPE)
endfunction()
