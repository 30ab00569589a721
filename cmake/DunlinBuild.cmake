# How every target of the house is compiled, and the three functions that the folders use.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
# -O3 -DNDEBUG would drop the asserts that state preconditions; they cost nothing measurable per chunk.
set(CMAKE_C_FLAGS_RELEASE "-O3 -g1 -fno-math-errno -fno-trapping-math")

option(DUNLIN_SANITIZE "AddressSanitizer and UndefinedBehaviourSanitizer" OFF)
option(DUNLIN_TSAN "ThreadSanitizer" OFF)
option(DUNLIN_WERROR "Warnings are errors" OFF)

add_library(dn_flags INTERFACE)
target_compile_definitions(dn_flags INTERFACE _GNU_SOURCE DUNLIN_VERSION="${PROJECT_VERSION}")
target_include_directories(dn_flags INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
target_compile_options(dn_flags INTERFACE -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes
    -Wpointer-arith -Wvla $<$<BOOL:${DUNLIN_WERROR}>:-Werror>)
target_link_libraries(dn_flags INTERFACE m pthread)
if(DUNLIN_SANITIZE)
    target_compile_options(dn_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(dn_flags INTERFACE -fsanitize=address,undefined)
endif()
if(DUNLIN_TSAN)
    target_compile_options(dn_flags INTERFACE -fsanitize=thread)
    target_link_options(dn_flags INTERFACE -fsanitize=thread)
endif()

# dn_folder(<name> SOURCES ... [DEPENDS ...]): one folder of the house as static library dn_<name>.
function(dn_folder name)
    cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
    add_library(dn_${name} STATIC ${arg_SOURCES})
    target_link_libraries(dn_${name} PUBLIC dn_flags ${arg_DEPENDS})
endfunction()

# dn_test(<path/like/name> SOURCES ... [DEPENDS ...] [LABELS ...] [ARGS ...]): a test program, registered with ctest.
function(dn_test name)
    cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;DEPENDS;LABELS;ARGS" ${ARGN})
    string(REPLACE "/" "_" target test_${name})
    add_executable(${target} ${arg_SOURCES})
    target_link_libraries(${target} PRIVATE dn_flags ${arg_DEPENDS})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    add_test(NAME ${name} COMMAND ${target} ${arg_ARGS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77 LABELS "${arg_LABELS}")
endfunction()

# dn_bench(<name> SOURCES ... [DEPENDS ...]): a benchmark program build/.../bench/<name>.
function(dn_bench name)
    cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
    add_executable(bench_${name} ${arg_SOURCES})
    set_target_properties(bench_${name} PROPERTIES OUTPUT_NAME ${name})
    target_link_libraries(bench_${name} PRIVATE dn_flags ${arg_DEPENDS})
endfunction()
