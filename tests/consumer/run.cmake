# SPDX-License-Identifier: MIT
# Installs the build into a fresh prefix, then configures, builds and runs the consumer project against that.
foreach(argument IN ITEMS build source compiler)
    if(NOT DEFINED ${argument})
        message(FATAL_ERROR "usage: cmake -D build=... -D source=... -D compiler=... -P run.cmake")
    endif()
endforeach()
set(work ${build}/consumer)
file(REMOVE_RECURSE ${work})

function(run)
    execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
run(${CMAKE_COMMAND} --install ${build} --prefix ${work}/prefix)
run(${CMAKE_COMMAND} -S ${source} -B ${work}/build -G Ninja -D CMAKE_BUILD_TYPE=Release -D CMAKE_CXX_COMPILER=${compiler}
    -D CMAKE_PREFIX_PATH=${work}/prefix)
run(${CMAKE_COMMAND} --build ${work}/build)
run(${work}/build/consumer)
