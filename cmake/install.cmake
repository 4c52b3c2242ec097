# SPDX-License-Identifier: MIT
# `cmake --install` and find_package(lily): headers keep their paths below include/lily, so that
# #include "framework/tensor.h" reads the same inside and outside of this repository.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lily)

install(TARGETS lily lily_models lily_framework lily_kernels EXPORT lilyTargets)
if(LILY_SIMT)
    install(TARGETS lily_simt EXPORT lilyTargets)
endif()
install(EXPORT lilyTargets NAMESPACE lily:: DESTINATION ${package_dir})
install(DIRECTORY kernels framework models DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lily FILES_MATCHING PATTERN "*.h")
if(examples)
    list(TRANSFORM examples REPLACE ".*/([^/]*)[.]cpp" "\\1" OUTPUT_VARIABLE programs)
    install(TARGETS ${programs})
endif()

configure_package_config_file(cmake/lilyConfig.cmake.in ${PROJECT_BINARY_DIR}/lilyConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lilyConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/lilyConfig.cmake ${PROJECT_BINARY_DIR}/lilyConfigVersion.cmake
        cmake/find_by_path.cmake cmake/FindDnnl.cmake cmake/FindExif.cmake cmake/FindImagequant.cmake cmake/FindLcms2.cmake cmake/FindSpng.cmake
        cmake/FindWebP.cmake cmake/FindWebPDemux.cmake DESTINATION ${package_dir})
