# A room is a folder of sources that becomes one library; its link line is the list of rooms that
# it may look at, so an include that climbs a floor does not even link.

# antiphon_proto(FOLDER): every .proto of the folder as one library.
function(antiphon_proto folder)
  file(GLOB schemas CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.proto)
  set(generated ${CMAKE_BINARY_DIR}/generated)
  set(sources)
  foreach(schema ${schemas})
    get_filename_component(stem ${schema} NAME_WE)
    set(out ${generated}/${folder}/${stem}.pb)
    add_custom_command(
      OUTPUT ${out}.cc ${out}.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${generated}
      COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR} --cpp_out=${generated} ${schema}
      DEPENDS ${schema} ${schemas}
      VERBATIM)
    list(APPEND sources ${out}.cc)
  endforeach()
  add_library(${folder} STATIC ${sources})
  target_include_directories(${folder} SYSTEM PUBLIC ${generated})
  target_compile_options(${folder} PRIVATE -w)
  target_link_libraries(${folder} PUBLIC protobuf::libprotobuf)
  # Not our code, so UBSan's checks of it would only cost time: half of this library's compilation.
  string(REPLACE ",undefined" "" sanitize "${ANTIPHON_SANITIZE}")
  if(sanitize)
    target_compile_options(${folder} PRIVATE -fsanitize=${sanitize})
  endif()
  set_target_properties(${folder} PROPERTIES CXX_CLANG_TIDY "")
endfunction()

# antiphon_room(FOLDER [ROOMS ...] [LINKS ...]): the library `common_base` of folder `common/base`.
# main.cc is left out: it belongs to a binary. A source named *_avx2.cc or *_avx512.cc is compiled
# for that instruction set and called only after a run-time check; *_generic.cc is its sibling for
# every machine. All three hold loops that the compiler is to vectorise, hence -O3.
function(antiphon_room folder)
  cmake_parse_arguments(ARG "" "" "ROOMS;LINKS" ${ARGN})
  string(REPLACE "/" "_" room ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cc)
  file(GLOB mains CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*main.cc)
  if(mains)
    list(REMOVE_ITEM sources ${mains})
  endif()
  if(sources)
    set(scope PUBLIC)
    add_library(${room} STATIC ${sources})
    target_link_libraries(${room} PRIVATE antiphon_flags)
    antiphon_prelude(${room} rooms)
  else()
    set(scope INTERFACE)
    add_library(${room} INTERFACE)
  endif()
  target_include_directories(${room} ${scope} ${CMAKE_SOURCE_DIR})
  # A source includes its own header first (lint.layers sees to it), so building the source shows
  # that the header compiles on its own. For headers without a source there is the target
  # all_verify_interface_header_sets, which lint builds.
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.h)
  string(REGEX REPLACE "\\.cc(;|$)" ".h\\1" shown "${sources}")
  list(REMOVE_ITEM headers ${shown})
  if(headers)
    target_sources(${room} ${scope} FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${headers})
    set_target_properties(${room} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  endif()
  string(REPLACE "/" "_" rooms "${ARG_ROOMS}")
  target_link_libraries(${room} ${scope} ${rooms} ${ARG_LINKS} Threads::Threads)
  set(vectorise "-fno-trapping-math")
  if(NOT ANTIPHON_SANITIZE)  # Eigen, checked at each step and at -O3, takes the compiler minutes
    list(PREPEND vectorise -O3)
  endif()
  foreach(source ${sources})
    if(source MATCHES "_(avx2|avx512|generic)\\.cc$")
      set_source_files_properties(${source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
    if(source MATCHES "_avx2\\.cc$")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS
        "-march=x86-64-v3;${vectorise}")
    elseif(source MATCHES "_avx512\\.cc$")
      # g++ 12 warns of its own AVX-512 intrinsics (GCC bug 105593).
      set(wrong_warnings -Wno-uninitialized -Wno-maybe-uninitialized)
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS
        "-march=x86-64-v4;-mprefer-vector-width=512;${wrong_warnings};${vectorise}")
    elseif(source MATCHES "_generic\\.cc$")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${vectorise}")
    endif()
  endforeach()
endfunction()

# antiphon_binary(NAME MAIN ROOMS ... [LINKS ...]): bin/NAME from one main.
function(antiphon_binary name main)
  cmake_parse_arguments(ARG "" "" "ROOMS;LINKS" ${ARGN})
  string(REPLACE "/" "_" rooms "${ARG_ROOMS}")
  add_executable(${name} ${CMAKE_SOURCE_DIR}/${main})
  target_link_libraries(${name} PRIVATE antiphon_flags ${rooms} ${ARG_LINKS})
endfunction()

# ctest starts first what costs most, so that no long test is left for the end, alone on one core.
set(cost_of_e2e 4)
set(cost_of_fuzz 3)
set(cost_of_cluster 2)
set(cost_of_lint 1)
set(cost_of_unit 0)

# antiphon_tests(FOLDER LABEL ROOMS ... [LINKS ...]): every tests/FOLDER/*.cc in one binary,
# each case a ctest of that label. The target tests_LABEL builds all binaries of a label.
function(antiphon_tests folder label)
  cmake_parse_arguments(ARG "" "" "ROOMS;LINKS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  string(REPLACE "/" "_" rooms "${ARG_ROOMS}")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_tests ${sources})
  target_link_libraries(${name}_tests PRIVATE antiphon_flags ${rooms} tests_support
    GTest::gmock GTest::gtest_main ${ARG_LINKS})
  target_compile_definitions(${name}_tests PRIVATE
    ANTIPHON_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ANTIPHON_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_dependencies(tests_${label} ${name}_tests)
  if(ANTIPHON_SANITIZE STREQUAL "thread")
    target_sources(${name}_tests PRIVATE ${CMAKE_SOURCE_DIR}/tests/tsan_c11_threads.cc)
  endif()
  set(timeout_s 120)
  if(ANTIPHON_SANITIZE)
    set(timeout_s 600)  # a sanitizer makes a test several times slower
  endif()
  set(options)
  if(ANTIPHON_SANITIZE MATCHES "undefined")
    # The checks make g++ half as slow again over GoogleTest's macros, which have nothing to gain.
    # A null pointer stops the program without them, and ASan says where.
    set(options -O0 -fno-sanitize=null,alignment,vptr)
  endif()
  target_compile_options(${name}_tests PRIVATE ${options})
  antiphon_prelude(${name}_tests tests ${options})
  gtest_discover_tests(${name}_tests DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${label} TIMEOUT ${timeout_s} COST ${cost_of_${label}})
endfunction()

# antiphon_check(NAME LABEL COMMAND ...): a command as a ctest, run in the root of the tree. Exit code
# 77 means that it skipped itself and said why.
function(antiphon_check name label)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 600 SKIP_RETURN_CODE 77
    COST ${cost_of_${label}})
endfunction()
