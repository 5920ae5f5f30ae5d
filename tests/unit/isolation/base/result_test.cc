#include "isolation/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace skiff {
namespace {

Result<std::unique_ptr<int>> Make(bool is_fine) {
  if (!is_fine) return Error(Code::kNotFound, "number 7: missing");
  return std::make_unique<int>(7);
}

Result<int> Twice(bool is_fine) {
  std::unique_ptr<int> number = TRY(Make(is_fine).Context("twice"));
  return *number * 2;
}

TEST(ResultTest, TryYieldsTheValue) {
  Result<int> result = Twice(true);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value(), 14);
}

TEST(ResultTest, TryReturnsTheErrorWithItsContextInFront) {
  Result<int> result = Twice(false);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), Code::kNotFound);
  EXPECT_EQ(result.error().message(), "twice: number 7: missing");
}

TEST(ResultTest, ErrnoBecomesCodeAndLowerCaseWords) {
  Error error = Error::FromErrno(ENOENT, "open /x");
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_EQ(error.sys_errno(), ENOENT);
  EXPECT_EQ(error.message(), "open /x: no such file or directory");
}

TEST(ResultTest, ContextKeepsErrno) {
  Error error = Error::FromErrno(EPERM, "mount").Context("container web");
  EXPECT_EQ(error.sys_errno(), EPERM);
  EXPECT_EQ(error.message(), "container web: mount: operation not permitted");
}

}  // namespace
}  // namespace skiff
