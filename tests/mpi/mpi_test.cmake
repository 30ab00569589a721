# include(${PROJECT_SOURCE_DIR}/tests/mpi/mpi_test.cmake), then
# dn_mpi_test(<name> RANKS 1 2 ... SOURCES ... [DEPENDS ...]): the program alone, and under mpirun with each number of ranks.
# --oversubscribe lets four ranks share two cores; vader without single copy needs no ptrace (containers). Open MPI
# unloads its plugins before it ends, so that LeakSanitizer cannot tell their leaks from ours: it looks at the lone run.
set(DN_MPI_ENVIRONMENT
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
    OMPI_MCA_btl_vader_single_copy_mechanism=none ASAN_OPTIONS=detect_leaks=0)

function(dn_mpi_test name)
    cmake_parse_arguments(arg "" "" "RANKS;SOURCES;DEPENDS" ${ARGN})
    dn_test(${name} SOURCES ${arg_SOURCES} DEPENDS ${arg_DEPENDS} LABELS fast)
    string(REPLACE "/" "_" target test_${name})
    foreach(ranks ${arg_RANKS})
        add_test(NAME ${name}_${ranks} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
            COMMAND ${MPIEXEC_EXECUTABLE} -n ${ranks} --oversubscribe --bind-to none $<TARGET_FILE:${target}>)
        set_tests_properties(${name}_${ranks} PROPERTIES LABELS mpi TIMEOUT 120 PROCESSORS 2
            ENVIRONMENT "${DN_MPI_ENVIRONMENT}")
    endforeach()
endfunction()
