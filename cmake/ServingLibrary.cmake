# antiphon_serving: the library that servers link, one shared object with the rooms that it needs inside
# and a header that needs the standard library alone. `cmake --install BUILD --component serving`
# installs it, and find_package(antiphon) finds it then: examples/serve_cpp.

include(GNUInstallDirs)

get_target_property(serving_sources serving_library SOURCES)
add_library(antiphon_serving SHARED ${serving_sources})
target_link_libraries(antiphon_serving PRIVATE antiphon_flags serving_library)
# The rooms inside stay inside.
target_link_options(antiphon_serving PRIVATE -Wl,--exclude-libs,ALL)
target_include_directories(antiphon_serving INTERFACE
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(antiphon_serving PROPERTIES
  EXPORT_NAME serving VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/antiphon)
install(TARGETS antiphon_serving EXPORT antiphon
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT serving NAMELINK_COMPONENT serving)
install(FILES ${CMAKE_SOURCE_DIR}/serving/library/serving.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/antiphon COMPONENT serving)
install(EXPORT antiphon NAMESPACE antiphon:: FILE antiphonTargets.cmake
  DESTINATION ${package_folder} COMPONENT serving)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/antiphonConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_SOURCE_DIR}/cmake/antiphonConfig.cmake
  ${CMAKE_BINARY_DIR}/antiphonConfigVersion.cmake
  DESTINATION ${package_folder} COMPONENT serving)
