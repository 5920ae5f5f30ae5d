// What a kernel test needs from the machine. A test that cannot run says which capability was
// missing.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace skiff::test {

// "" when present, else the words for the skip message.
std::string MissingRoot();
std::string MissingBusybox();
std::string MissingMemoryController();
// EROFS images as layers, kept beneath `directory`.
std::string MissingErofs(const std::string& directory);

}  // namespace skiff::test

#define SKIFF_REQUIRE(missing)                                                 \
  do {                                                                         \
    std::string missing_ = (missing);                                          \
    if (!missing_.empty()) GTEST_SKIP() << "missing capability: " << missing_; \
  } while (false)
