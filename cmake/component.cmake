# The one target that carries the flags, and the one function that makes a component.

add_library(gatehouse_flags INTERFACE)
target_include_directories(gatehouse_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(gatehouse_flags INTERFACE
  GATEHOUSE_VERSION="${PROJECT_VERSION}" _GLIBCXX_ASSERTIONS $<$<CONFIG:RelWithDebInfo>:_FORTIFY_SOURCE=2>)
target_compile_options(gatehouse_flags INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Werror
  -fstack-protector-strong -fno-omit-frame-pointer)
target_link_options(gatehouse_flags INTERFACE -Wl,-z,relro,-z,now)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms with optimisation only: std::string assignments (GCC bug 105651), moved tl::expected values.
  target_compile_options(gatehouse_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(GATEHOUSE_SANITIZE)
  target_compile_options(gatehouse_flags INTERFACE -fsanitize=${GATEHOUSE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(gatehouse_flags INTERFACE -fsanitize=${GATEHOUSE_SANITIZE})
endif()

# gatehouse_component(<name> [LINK <target>...])
#   From the .cc files of the current folder makes the static library <name>_core; from its *_test.cc files the test
#   binary <name>_test; main.cc is left to the caller (gatehouse_program).
function(gatehouse_component name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cc$")

  if(NOT sources)
    add_library(${name}_core INTERFACE)
    return()
  endif()
  add_library(${name}_core STATIC ${sources})
  target_link_libraries(${name}_core PUBLIC gatehouse_flags ${arg_LINK})
  if(tests AND NOT GATEHOUSE_FUZZ)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name}_core GTest::gmock GTest::gtest_main)
    set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES LABELS unit)
  endif()
endfunction()

# gatehouse_whole_program(<target>...): libraries whose time goes into many small calls between their files are optimised
# when they are linked, where we optimise at all and nothing is there to find mistakes.
function(gatehouse_whole_program)
  if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo AND CMAKE_CXX_COMPILER_ID STREQUAL GNU AND NOT GATEHOUSE_SANITIZE)
    set_target_properties(${ARGN} PROPERTIES INTERPROCEDURAL_OPTIMIZATION ON)
    foreach(target ${ARGN})
      # Instructions of 2009; their Hyperscan asks for nearly as much. What is newer is chosen at run time.
      target_compile_options(${target} PRIVATE $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-march=x86-64-v2>)
    endforeach()
  endif()
endfunction()

# Everything that lands in bin/.
add_custom_target(programs)

# gatehouse_program(<binary> <name>): main.cc of the current folder plus <name>_core become bin/<binary>.
function(gatehouse_program binary name)
  if(GATEHOUSE_FUZZ OR NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/main.cc)
    return()
  endif()
  add_executable(${binary} main.cc)
  target_link_libraries(${binary} PRIVATE ${name}_core)
  add_dependencies(programs ${binary})
endfunction()

# gatehouse_fuzz(<name> <source> [LINK <target>...]): the libFuzzer binary fuzz/<name>, in the fuzz preset only.
function(gatehouse_fuzz name source)
  if(NOT GATEHOUSE_FUZZ)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  add_executable(fuzz_${name} ${source})
  target_link_libraries(fuzz_${name} PRIVATE gatehouse_flags ${arg_LINK})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()
