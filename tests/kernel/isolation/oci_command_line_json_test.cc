// What the commands take and say: see oci_container.h.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using testing::HasSubstr;

using OciCommandLineTest = OciRunTest;

TEST_F(OciCommandLineTest, FailuresAreOneLineOnStandardErrorAndInTheLog) {
  config_["process"]["cwd"] = "relative";
  Finished finished = Script("true", {"--log", bundle_.path() + "/log", "--log-format", "json"});
  EXPECT_EQ(finished.code, 1);
  std::string expected = bundle_.path() + "/config.json: process.cwd: 'relative' is not absolute";
  EXPECT_EQ(finished.output, "skiff-oci: " + expected + "\n");
  json line = json::parse(sys::ReadFile(AT_FDCWD, bundle_.path() + "/log").value());
  EXPECT_EQ(line["msg"], expected);
  EXPECT_EQ(line["level"], "error");
}

TEST_F(OciCommandLineTest, ACommandLineThatIsWrongIsOneLineOnStandardErrorAndInTheLog) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"nonesuch"}, "unknown command nonesuch: see skiff-oci --help"},
      {{"nonesuch", "-h"},
       "unknown command nonesuch: No help topic for 'nonesuch': see skiff-oci --help"},
      {{"help", "nonesuch"}, "No help topic for 'nonesuch': see skiff-oci --help"},
      {{"--nonesuch"}, "unknown option --nonesuch: see skiff-oci --help"},
      {{"kill"}, "CONTAINER_ID is required"},
      {{"run", "--nonesuch", "x"}, "The following argument was not expected: --nonesuch"}};
  for (const auto& [words, expected] : cases) {
    std::string log = bundle_.path() + "/log";
    std::vector<std::string> arguments = {"--log", log};
    arguments.insert(arguments.end(), words.begin(), words.end());
    Finished finished = Command(arguments);
    EXPECT_EQ(finished.code, 1) << expected;
    EXPECT_EQ(finished.output, "skiff-oci: " + expected + "\n");
    EXPECT_THAT(sys::ReadFile(AT_FDCWD, log).value(), HasSubstr(expected));
  }
}

// What the command lines of crun and runc have.
TEST_F(OciCommandLineTest, HelpVersionAndExampleAreFoundByEveryNameTheyHave) {
  std::string all = Command({"--help"}).output;
  for (const char* word : {"-h", "-?", "--usage", "help"}) EXPECT_EQ(Command({word}).output, all);
  EXPECT_EQ(Command({"help", "run"}).output, Command({"run", "--help"}).output);
  EXPECT_EQ(Command({"-V"}).output, Command({"--version"}).output);
  EXPECT_EQ(Command({"spec", "-b", bundle_.path(), "-f", "other.json"}).output, "");
  EXPECT_EQ(json::parse(sys::ReadFile(AT_FDCWD, bundle_.path() + "/other.json").value())["root"],
            json({{"path", "rootfs"}, {"readonly", true}}));
}

TEST_F(OciCommandLineTest, KillAndDeleteTakeARegularExpression) {
  config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  WriteConfig();
  for (const char* name : {"-one", "-two"}) {
    std::string id = id_ + name;
    ASSERT_EQ(Command({"run", "--detach", "--no-subreaper", "-b", bundle_.path(), id}).output, "");
  }
  EXPECT_THAT(Command({"kill", "--regex", "("}).output, HasSubstr("not a regular expression"));
  EXPECT_EQ(Command({"kill", "--regex", id_ + "-none", "KILL"}).output, "");
  UniqueFd one =
      sys::OpenPidfd(json::parse(Command({"state", id_ + "-one"}).output)["pid"]).value();
  EXPECT_EQ(Command({"kill", "-r", id_ + "-o.e", "KILL"}).output, "");
  EXPECT_TRUE(sys::PollReadable(one.get(), std::chrono::seconds(30)).value());
  EXPECT_EQ(json::parse(Command({"state", id_ + "-two"}).output)["status"], "running");
  EXPECT_EQ(Command({"delete", "--force", "-r", "^" + id_ + "-(one|two)$"}).output, "");
  EXPECT_EQ(Command({"list", "-q"}).output, "");
}

}  // namespace
}  // namespace skiff::isolation::oci
