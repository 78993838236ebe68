# find_package(antiphon): the target antiphon::serving, with <antiphon/serving.h>.
include(${CMAKE_CURRENT_LIST_DIR}/antiphonTargets.cmake)
