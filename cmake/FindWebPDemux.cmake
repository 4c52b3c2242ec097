# SPDX-License-Identifier: MIT
# libwebp's reader of chunks and animations as WebPDemux::webpdemux.
include(${CMAKE_CURRENT_LIST_DIR}/find_by_path.cmake)
find_by_path(WebPDemux webp/demux.h webpdemux)
