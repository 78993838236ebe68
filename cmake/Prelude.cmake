# What nearly every source includes, parsed once instead of five hundred times: the standard library,
# glog and the generated messages for rooms, GoogleTest as well for tests. Seven sources of the asan
# preset took 18 s of processor time with it instead of 30 s. The other presets compile each source on
# its own, and so show an include that is missing.
#
# ccache stores what is compiled with it only if CCACHE_SLOPPINESS is pch_defines,time_macros.

option(ANTIPHON_PRELUDE "Compile common headers once; hides a missing include" OFF)

set(prelude_of_rooms
  <algorithm> <array> <chrono> <cmath> <cstdint> <deque> <functional> <limits> <map> <memory>
  <mutex> <optional> <set> <span> <sstream> <string> <string_view> <thread> <unordered_map>
  <utility> <vector>
  <glog/logging.h>
  <proto/cluster.pb.h> <proto/job.pb.h> <proto/metrics.pb.h> <proto/optimizer.pb.h>
  <proto/snapshot.pb.h> <proto/stream.pb.h>)
set(prelude_of_tests <gmock/gmock.h> <gtest/gtest.h> ${prelude_of_rooms})

if(ANTIPHON_PRELUDE)
  # hiredis wants it of whoever links it. Nothing changes on 64 bits, but g++ takes a compiled header
  # only for a source with the same definitions.
  target_compile_definitions(antiphon_flags INTERFACE _FILE_OFFSET_BITS=64)
  # With a compiled header g++ 12 takes the standard library for code of ours and warns of what it
  # sees there in `"text" + std::string`. The presets without a prelude keep all warnings, as errors.
  target_compile_options(antiphon_flags INTERFACE -w)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/prelude.cc CONTENT "")
endif()

# antiphon_prelude(TARGET KIND [OPTIONS ...]): compiles the sources of TARGET with the prelude of
# KIND (rooms or tests), which is made once for all targets of a kind: their options must be the same.
function(antiphon_prelude target kind)
  if(NOT ANTIPHON_PRELUDE)
    return()
  endif()
  if(NOT TARGET prelude_${kind})
    add_library(prelude_${kind} OBJECT ${CMAKE_BINARY_DIR}/prelude.cc)
    target_link_libraries(prelude_${kind} PRIVATE antiphon_flags proto glog::glog)
    if(kind STREQUAL "tests")
      target_link_libraries(prelude_tests PRIVATE GTest::gmock)
      # Executables are -fPIE where libraries are -fPIC.
      set_target_properties(prelude_tests PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(prelude_tests PRIVATE -fPIE ${ARGN})
    endif()
    target_precompile_headers(prelude_${kind} PRIVATE ${prelude_of_${kind}})
  endif()
  target_precompile_headers(${target} REUSE_FROM prelude_${kind})
endfunction()
