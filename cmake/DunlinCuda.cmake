# Finds what the CUDA backend is built with: nvcc, the headers of the runtime and of cuBLASLt, the static runtime. In a toolkit
# (CUDA_HOME, CUDA_PATH, PATH, /usr/local/cuda), in a distribution's prefix, or in NVIDIA's Python packages, whose folders hold
# no plain .so names, so libraries are linked by file name or opened at run time.
#
#   DUNLIN_CUDA                AUTO: where a toolkit is found; ON: must be there; OFF
#   DUNLIN_CUDA_ARCHITECTURES  "80 90a 100": those of the list that the compiler knows
#
# Sets DUNLIN_CUDA_FOUND, DUNLIN_NVCC, DUNLIN_CUDA_INCLUDE (a list), DUNLIN_CUDART, DUNLIN_CUDA_VERSION, DUNLIN_CUDA_RUNPATH.
set(DUNLIN_CUDA AUTO CACHE STRING "the CUDA backend: AUTO, ON or OFF")
set(DUNLIN_CUDA_ARCHITECTURES "80;90a;100" CACHE STRING "compute capabilities to compile for, as sm_ numbers")
set(DUNLIN_CUDA_FOUND OFF)

# Folders of NVIDIA's wheels below a virtual environment.
function(dunlin_wheel_folders root out)
    file(GLOB found LIST_DIRECTORIES ON ${root}/lib/python3*/site-packages/nvidia/*)
    set(${out} ${found} PARENT_SCOPE)
endfunction()

function(dunlin_find_cuda)
    set(roots $ENV{CUDA_HOME} $ENV{CUDA_PATH} $ENV{CUDAToolkit_ROOT} /usr/local/cuda)
    if(DEFINED ENV{VIRTUAL_ENV})
        dunlin_wheel_folders($ENV{VIRTUAL_ENV} wheels)
        list(APPEND roots ${wheels})
    endif()
    if(DUNLIN_CUDA STREQUAL "ON") # what scripts/cuda fetched is for those who ask
        dunlin_wheel_folders(${PROJECT_SOURCE_DIR}/build/cuda-venv wheels)
        list(APPEND roots ${wheels})
    endif()
    find_program(DUNLIN_NVCC nvcc HINTS ${roots} PATH_SUFFIXES bin)
    if(DUNLIN_NVCC)
        get_filename_component(nvcc ${DUNLIN_NVCC} REALPATH)
        get_filename_component(bin ${nvcc} DIRECTORY)
        get_filename_component(top ${bin} DIRECTORY)
        list(PREPEND roots ${top})
    endif()
    find_path(DUNLIN_CUDA_RUNTIME_H cuda_runtime_api.h HINTS ${roots} PATH_SUFFIXES include targets/x86_64-linux/include)
    find_path(DUNLIN_CUBLASLT_H cublasLt.h HINTS ${roots} PATH_SUFFIXES include targets/x86_64-linux/include)
    find_file(DUNLIN_CUDART libcudart_static.a HINTS ${roots}
        PATH_SUFFIXES lib64 lib lib/x86_64-linux-gnu targets/x86_64-linux/lib)
    find_path(DUNLIN_NVML_H nvml.h HINTS ${roots} PATH_SUFFIXES include targets/x86_64-linux/include)
    find_path(DUNLIN_NCCL_H nccl.h HINTS ${roots} PATH_SUFFIXES include)
    find_program(DUNLIN_COMPUTE_SANITIZER compute-sanitizer HINTS ${roots} PATH_SUFFIXES bin)
    mark_as_advanced(DUNLIN_NVCC DUNLIN_CUDA_RUNTIME_H DUNLIN_CUBLASLT_H DUNLIN_CUDART DUNLIN_NVML_H DUNLIN_NCCL_H
        DUNLIN_COMPUTE_SANITIZER)

    # Where cuBLASLt was at build time, so that the backend finds it there first.
    set(runpath)
    foreach(root ${roots})
        foreach(folder lib lib64)
            file(GLOB libraries ${root}/${folder}/libcublasLt.so* ${root}/${folder}/libcudnn.so*)
            if(libraries)
                list(APPEND runpath ${root}/${folder})
            endif()
        endforeach()
    endforeach()
    list(REMOVE_DUPLICATES runpath)
    set(DUNLIN_CUDA_RUNPATH ${runpath} PARENT_SCOPE)
endfunction()

if(NOT DUNLIN_CUDA STREQUAL "OFF")
    dunlin_find_cuda()
    set(missing)
    foreach(part DUNLIN_NVCC DUNLIN_CUDA_RUNTIME_H DUNLIN_CUBLASLT_H DUNLIN_CUDART)
        if(NOT ${part})
            list(APPEND missing ${part})
        endif()
    endforeach()
    if(missing AND DUNLIN_CUDA STREQUAL "ON")
        message(FATAL_ERROR "DUNLIN_CUDA=ON, but this is not found: ${missing}. Set CUDA_HOME to a toolkit, or fetch NVIDIA's "
            "packages with scripts/cuda")
    elseif(missing)
        message(STATUS "CUDA backend: not built (no ${missing})")
    else()
        set(DUNLIN_CUDA_FOUND ON)
        set(DUNLIN_CUDA_INCLUDE ${DUNLIN_CUDA_RUNTIME_H} ${DUNLIN_CUBLASLT_H})
        list(REMOVE_DUPLICATES DUNLIN_CUDA_INCLUDE)
        execute_process(COMMAND ${DUNLIN_NVCC} --version OUTPUT_VARIABLE text)
        string(REGEX MATCH "release ([0-9.]+)" matched "${text}")
        set(DUNLIN_CUDA_VERSION ${CMAKE_MATCH_1})
        message(STATUS "CUDA backend: nvcc ${DUNLIN_CUDA_VERSION}")
    endif()
endif()

# -gencode options for those of DUNLIN_CUDA_ARCHITECTURES that nvcc knows, and PTX of the lowest for devices to come.
function(dunlin_gencode out)
    execute_process(COMMAND ${DUNLIN_NVCC} --list-gpu-code OUTPUT_VARIABLE known)
    set(options)
    set(lowest)
    foreach(arch ${DUNLIN_CUDA_ARCHITECTURES})
        string(REGEX MATCH "^[0-9]+" number ${arch})
        if(known MATCHES "sm_${number}")
            list(APPEND options -gencode=arch=compute_${arch},code=sm_${arch})
            if(NOT lowest)
                set(lowest ${number})
            endif()
        endif()
    endforeach()
    if(NOT lowest)
        message(FATAL_ERROR "nvcc knows none of DUNLIN_CUDA_ARCHITECTURES: ${DUNLIN_CUDA_ARCHITECTURES}")
    endif()
    list(APPEND options -gencode=arch=compute_${lowest},code=compute_${lowest})
    set(${out} ${options} PARENT_SCOPE)
endfunction()
