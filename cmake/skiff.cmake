# How every target of skiff is built: one language standard, one set of warnings, one rule about who may use whom.

option(SKIFF_TESTS "Build the tests" ON)
option(SKIFF_FAILPOINTS "Compile in the failpoints that tests use (isolation/sys/failpoint.h)" OFF)
option(SKIFF_WERROR "Warnings are errors" OFF)
option(SKIFF_HARDEN "Hardening flags for programs that ship" OFF)
option(SKIFF_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
set(SKIFF_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")
option(SKIFF_COVERAGE "Instrument for coverage" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)  # TRY is a statement expression.
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(module IN ITEMS libseccomp libcap libnftables liburing zlib libzstd libcrypto libssl sqlite3 libsystemd)
  pkg_check_modules(${module} REQUIRED IMPORTED_TARGET ${module})
endforeach()

pkg_check_modules(libisal QUIET IMPORTED_TARGET libisal)
option(SKIFF_ISAL "Inflate gzip by ISA-L; OFF: by zlib (default: ON where ISA-L is)" ${libisal_FOUND})
if(SKIFF_ISAL AND NOT libisal_FOUND)
  message(FATAL_ERROR "SKIFF_ISAL is ON and libisal is not there")
endif()

add_library(skiff_options INTERFACE)
target_include_directories(skiff_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(skiff_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual
  -Wno-gnu-statement-expression -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:GNU>:-Wno-pedantic>)  # g++ has no narrower switch for statement expressions.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(skiff_options INTERFACE -Wno-gnu-statement-expression-from-macro-expansion
                         -Wno-unknown-warning-option -Wno-gnu-zero-variadic-macro-arguments -Wno-c99-designator
                         -Wno-gnu-anonymous-struct -Wno-nested-anon-types)
endif()
target_compile_definitions(skiff_options INTERFACE SKIFF_VERSION="${PROJECT_VERSION}")
if(SKIFF_WERROR)
  target_compile_options(skiff_options INTERFACE -Werror)
endif()
if(SKIFF_FAILPOINTS)
  target_compile_definitions(skiff_options INTERFACE SKIFF_FAILPOINTS=1)
endif()
if(SKIFF_SANITIZE)
  # Undefined behaviour would only be printed otherwise, and the test that showed it pass.
  target_compile_options(skiff_options INTERFACE -fsanitize=${SKIFF_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
  target_link_options(skiff_options INTERFACE -fsanitize=${SKIFF_SANITIZE})
endif()
if(SKIFF_COVERAGE)
  target_compile_options(skiff_options INTERFACE --coverage)
  target_link_options(skiff_options INTERFACE --coverage)
endif()
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees overflows in libstdc++'s own string code once everything is one unit (gcc bugs 105329, 105651).
  add_link_options(-Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds -Wno-restrict)
  target_compile_options(skiff_options INTERFACE -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds
                         -Wno-restrict)
endif()
if(SKIFF_HARDEN)
  target_compile_options(skiff_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
                         -fstack-clash-protection -D_GLIBCXX_ASSERTIONS)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    target_compile_options(skiff_options INTERFACE -fcf-protection)
  elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
    target_compile_options(skiff_options INTERFACE -mbranch-protection=standard)
  endif()
  target_link_options(skiff_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack LINKER:--as-needed)
endif()

# The layers, left to right; a target may depend only on its own layer and those before it.
set(SKIFF_LAYERS isolation networking images runtime tools)

function(skiff_layer_of target out)
  get_target_property(layer ${target} SKIFF_LAYER)
  list(FIND SKIFF_LAYERS "${layer}" index)
  set(${out} ${index} PARENT_SCOPE)
endfunction()

# skiff_library(NAME isolation_sys SOURCES a.cc ... HEADERS a.h ... DEPS isolation_base ... LIBS PkgConfig::x ...)
# The folder a library stands in decides its layer. Every public header is verified to compile alone.
function(skiff_library)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;HEADERS;DEPS;LIBS" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "skiff_library(${ARG_NAME}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  set(target skiff_${ARG_NAME})
  file(RELATIVE_PATH path "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  string(REGEX REPLACE "/.*" "" layer "${path}")
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  set_target_properties(${target} PROPERTIES SKIFF_LAYER "${layer}" VERIFY_INTERFACE_HEADER_SETS ON)
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}" FILES ${ARG_HEADERS})
  target_link_libraries(${target} ${scope} skiff_options)
  skiff_layer_of(${target} own)
  foreach(dep IN LISTS ARG_DEPS)
    if(NOT TARGET skiff_${dep})
      message(FATAL_ERROR "${target} depends on skiff_${dep}, which is not defined before it")
    endif()
    skiff_layer_of(skiff_${dep} theirs)
    if(theirs GREATER own)
      message(FATAL_ERROR "${target} (${layer}) may not depend on skiff_${dep}: it stands to the right")
    endif()
    target_link_libraries(${target} ${scope} skiff_${dep})
  endforeach()
  foreach(lib IN LISTS ARG_LIBS)
    # In programs that ship, what Debian has as an archive is linked in: each shared library costs
    # a start of them 0.1 ms, libstdc++ a whole one.
    if(SKIFF_HARDEN AND lib MATCHES "^(seccomp|cap|uring)$")
      set(lib "-l:lib${lib}.a")
    endif()
    if(ARG_SOURCES)
      target_link_libraries(${target} PRIVATE ${lib})
    else()
      target_link_libraries(${target} INTERFACE ${lib})
    endif()
  endforeach()
endfunction()

# skiff_program(NAME skiff SOURCES main.cc ... DEPS ... LIBS ... [STATIC])
# STATIC: without the dynamic linker. The sanitizers' runtimes need it.
function(skiff_program)
  cmake_parse_arguments(ARG "STATIC" "NAME" "SOURCES;DEPS;LIBS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  list(TRANSFORM ARG_DEPS PREPEND skiff_)
  target_link_libraries(${ARG_NAME} PRIVATE skiff_options ${ARG_DEPS} ${ARG_LIBS})
  if(ARG_STATIC AND NOT SKIFF_SANITIZE)
    # Relocations as a bitmap: the plain table is read whole at every start, 130 KiB of skiff-oci's peak.
    # What nothing calls is left out, and the rest stands by name, each class beside itself: the kernel
    # maps 64 KiB around what is touched, and so 500 KiB less.
    target_link_options(${ARG_NAME} PRIVATE -static-pie -Wl,-z,pack-relative-relocs -Wl,--gc-sections
                        -Wl,--sort-section=name)
  elseif(SKIFF_HARDEN AND NOT SKIFF_SANITIZE)
    target_link_options(${ARG_NAME} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
endfunction()
