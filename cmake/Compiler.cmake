# Language level, warnings, hardening and sanitizers for every target of ours.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

option(ANTIPHON_NATIVE "Compile for the processor of this machine" OFF)
set(ANTIPHON_SANITIZE "" CACHE STRING "address,undefined or thread")
option(ANTIPHON_TIDY "Run clang-tidy with the compiler" OFF)

add_library(antiphon_flags INTERFACE)
target_compile_options(antiphon_flags INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror -fno-math-errno
  $<IF:$<BOOL:${ANTIPHON_NATIVE}>,-march=native,-march=x86-64-v2>)
# Paths in messages and debug info do not depend on where the tree lies.
target_compile_options(antiphon_flags INTERFACE
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(antiphon_flags INTERFACE -Wthread-safety)
elseif(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 at -O3 warns of overlaps in `"text" + std::string` that cannot happen (GCC bug 105651).
  # With AVX-512 it calls a part of its own intrinsics uninitialized that is so on purpose (105593).
  target_compile_options(antiphon_flags INTERFACE
    -Wno-restrict $<$<BOOL:${ANTIPHON_NATIVE}>:-Wno-maybe-uninitialized>)
endif()

# -g1: line numbers for stack traces at a third of the size of full debug information. DCHECK is
# left out of Release alone. Debug is what the sanitizers use, and they are unbearable at -O0.
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

if(ANTIPHON_SANITIZE)
  target_compile_options(antiphon_flags INTERFACE
    -fsanitize=${ANTIPHON_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(antiphon_flags INTERFACE -fsanitize=${ANTIPHON_SANITIZE})
else()
  target_compile_options(antiphon_flags INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
    -fcf-protection)
  target_link_options(antiphon_flags INTERFACE -Wl,-z,relro,-z,now)
endif()

# A program loads only the libraries that it calls: servers have no use for OpenBLAS and its threads.
target_link_options(antiphon_flags INTERFACE -Wl,--as-needed)

find_program(ANTIPHON_MOLD NAMES mold)
if(ANTIPHON_MOLD)
  target_link_options(antiphon_flags INTERFACE -fuse-ld=mold)
endif()

if(ANTIPHON_TIDY)
  set(CMAKE_CXX_CLANG_TIDY clang-tidy;--quiet)
endif()
