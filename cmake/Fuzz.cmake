# Every decoder has a fuzz target, tests/fuzz/NAME_fuzz.cc with LLVMFuzzerTestOneInput, and a small
# corpus of inputs in tests/fuzz/corpus/NAME/.
#
# A usual build links it with replay_main.cc: a test that tries the corpus and seeded mutations of
# it. With -DANTIPHON_FUZZ=ON and clang (preset `fuzz`) it becomes a libFuzzer binary instead:
#   build/fuzz/bin/frame_fuzz tests/fuzz/corpus/frame -max_total_time=600

option(ANTIPHON_FUZZ "Build the fuzz targets for libFuzzer; needs clang" OFF)
if(ANTIPHON_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "ANTIPHON_FUZZ needs clang: cmake --preset fuzz")
  endif()
  target_compile_options(antiphon_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# antiphon_fuzz(NAME ROOMS ... [LINKS ...]): bin/NAME_fuzz and the test fuzz.NAME.
function(antiphon_fuzz name)
  cmake_parse_arguments(ARG "" "" "ROOMS;LINKS" ${ARGN})
  string(REPLACE "/" "_" rooms "${ARG_ROOMS}")
  set(folder ${CMAKE_SOURCE_DIR}/tests/fuzz)
  if(ANTIPHON_FUZZ)
    add_executable(${name}_fuzz ${folder}/${name}_fuzz.cc)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    set(arguments -runs=20000)
  else()
    add_executable(${name}_fuzz ${folder}/${name}_fuzz.cc ${folder}/replay_main.cc)
    set(arguments --mutations=20000)
  endif()
  target_link_libraries(${name}_fuzz PRIVATE antiphon_flags common_base ${rooms} ${ARG_LINKS})
  add_dependencies(tests_fuzz ${name}_fuzz)
  add_test(NAME fuzz.${name} COMMAND ${name}_fuzz ${arguments} ${folder}/corpus/${name})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 600 COST ${cost_of_fuzz})
endfunction()
