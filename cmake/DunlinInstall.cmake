# libdunlin, and what `cmake --install` puts where. Below share/dunlin everything lies as in the source tree, since
# dn_home() (src/base/home.h) finds either.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# All folders of the house as one shared library; what does not begin with dn_ stays inside.
set(dunlin_folders base io topo comm kernels flow source text batch model sink trace job run cmd)
set(dunlin_objects)
foreach(folder ${dunlin_folders})
    list(APPEND dunlin_objects $<TARGET_OBJECTS:dn_${folder}>)
endforeach()
add_library(libdunlin SHARED ${dunlin_objects})
add_library(Dunlin::dunlin ALIAS libdunlin)
set_target_properties(libdunlin PROPERTIES OUTPUT_NAME dunlin EXPORT_NAME dunlin LINKER_LANGUAGE C
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
target_link_libraries(libdunlin PRIVATE dn_cmd)
target_link_options(libdunlin PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/libdunlin.map)
set_property(TARGET libdunlin APPEND PROPERTY LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/libdunlin.map)
target_include_directories(libdunlin INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/dunlin>)

install(TARGETS dunlin RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS libdunlin EXPORT DunlinTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})

# dunlin.h and what it includes, by path, so that a header says the same in and out of the house.
foreach(header dunlin.h base/arena.h base/errors.def base/memory.h base/props.h base/span.h base/status.h base/version.h
        batch/batch.h cmd/cmd.h flow/chunk.h flow/schema.h flow/stage.h job/register.h model/model.h run/classify.h)
    get_filename_component(folder ${header} DIRECTORY)
    install(FILES ${PROJECT_SOURCE_DIR}/src/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dunlin/${folder})
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/kernels/kernels.h ${PROJECT_SOURCE_DIR}/kernels/device.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dunlin/kernels)

file(RELATIVE_PATH pc_up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${PROJECT_SOURCE_DIR}/cmake/dunlin.pc.in ${PROJECT_BINARY_DIR}/dunlin.pc @ONLY)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/DunlinConfig.cmake.in ${PROJECT_BINARY_DIR}/DunlinConfig.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Dunlin)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/DunlinConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/dunlin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${PROJECT_BINARY_DIR}/DunlinConfig.cmake ${PROJECT_BINARY_DIR}/DunlinConfigVersion.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Dunlin)
install(EXPORT DunlinTargets NAMESPACE Dunlin:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Dunlin)

set(dunlin_home ${CMAKE_INSTALL_DATADIR}/dunlin)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/jobs ${PROJECT_SOURCE_DIR}/models DESTINATION ${dunlin_home}
    PATTERN "*.py" EXCLUDE PATTERN "__pycache__" EXCLUDE PATTERN "requirements.txt" EXCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/datasets/samples DESTINATION ${dunlin_home}/datasets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/deploy/kafka ${PROJECT_SOURCE_DIR}/deploy/systemd DESTINATION ${dunlin_home}/deploy)
install(PROGRAMS ${PROJECT_SOURCE_DIR}/scripts/kafka ${PROJECT_SOURCE_DIR}/scripts/dunlin_read.py
    DESTINATION ${dunlin_home}/scripts)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/bench/report DESTINATION ${dunlin_home}/bench PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/bench/report DESTINATION ${dunlin_home}/bench PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/slurm DESTINATION ${dunlin_home} OPTIONAL USE_SOURCE_PERMISSIONS)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
