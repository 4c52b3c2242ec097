# SPDX-License-Identifier: MIT
# oneDNN as Dnnl::dnnl: the package's own CMake file also asks for OpenCL, which we do not use.
include(${CMAKE_CURRENT_LIST_DIR}/find_by_path.cmake)
find_by_path(Dnnl dnnl.hpp dnnl)
