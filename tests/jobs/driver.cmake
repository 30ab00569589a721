# dn_driver(<name> SCRIPT file [ARGS ...] [LABELS ...] [TIMEOUT s]): a bash driver around the program; lib.sh says what it gets.
include(${PROJECT_SOURCE_DIR}/tests/mpi/mpi_test.cmake)
function(dn_driver name)
    cmake_parse_arguments(arg "" "SCRIPT;TIMEOUT" "ARGS;LABELS" ${ARGN})
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    add_test(NAME ${name} COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/${arg_SCRIPT} ${arg_ARGS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77
        ENVIRONMENT "${DN_MPI_ENVIRONMENT};DUNLIN=$<TARGET_FILE:dunlin>;MPIRUN=${MPIEXEC_EXECUTABLE};DN_TEST_TMP=${CMAKE_CURRENT_BINARY_DIR}")
endfunction()
