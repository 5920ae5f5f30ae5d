#include "tools/skiff/isolation_option.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "isolation/oci/seccomp.h"
#include "isolation/sys/file.h"
#include "tests/support/temp_dir.h"
#include "tools/skiff/command_line.h"
#include "tools/skiff/exit_status.h"
#include "tools/skiff/explain.h"
#include "tools/skiff/syscall_profile.h"

namespace skiff::tools {
namespace {

using runtime::IsolationOptions;
using runtime::SeccompChoice;
using testing::HasSubstr;
using testing::Not;

IsolationOptions Parsed(const std::string& text) {
  IsolationOptions options;
  Result<> parsed = ParseIsolation(text, &options);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message();
  return options;
}

std::string Refusal(const std::string& text) {
  IsolationOptions options;
  Result<> parsed = ParseIsolation(text, &options);
  return parsed.ok() ? "accepted" : parsed.error().message();
}

TEST(IsolationOptionTest, EachKeySetsItsLayerAndLeavesTheOthers) {
  IsolationOptions options = Parsed("seccomp=none,caps=none,nnp=off,masked-paths=off");
  EXPECT_EQ(options.seccomp, SeccompChoice::kNone);
  EXPECT_EQ(options.capabilities, isolation::CapabilityMask{0});
  EXPECT_EQ(options.no_new_privileges, false);
  EXPECT_FALSE(options.mask_paths);
  IsolationOptions untouched = Parsed("landlock=off,pidns=private,seccomp=default");
  EXPECT_EQ(untouched.seccomp, SeccompChoice::kDefault);
  EXPECT_FALSE(untouched.capabilities.has_value());
  EXPECT_FALSE(untouched.no_new_privileges.has_value());
  EXPECT_TRUE(untouched.mask_paths);
  EXPECT_FALSE(untouched.user_namespace.has_value());
  EXPECT_FALSE(untouched.landlock);
  EXPECT_FALSE(untouched.share_pids);
  EXPECT_TRUE(Parsed("landlock=on").landlock);
  EXPECT_TRUE(Parsed("pidns=shared").share_pids);
  EXPECT_EQ(Parsed("userns=on").user_namespace, true);
  EXPECT_EQ(Parsed("userns=off").user_namespace, false);
}

TEST(IsolationOptionTest, CapabilitiesAreWordsWithPlusBetween) {
  EXPECT_EQ(Parsed("caps=KILL+cap_chown").capabilities, 0b100001U);
  EXPECT_EQ(Parsed("caps=default").capabilities, isolation::DefaultCapabilities());
  EXPECT_EQ(Parsed("caps=default+SYS_PTRACE").capabilities,
            isolation::DefaultCapabilities() | (uint64_t{1} << 19));
  EXPECT_EQ(*Parsed("caps=all").capabilities & isolation::DefaultCapabilities(),
            isolation::DefaultCapabilities());
}

TEST(IsolationOptionTest, WhatIsNotThereIsRefusedByName) {
  EXPECT_EQ(Refusal("userns=maybe"), "userns: expected on or off, got 'maybe'");
  EXPECT_EQ(Refusal("landlock=maybe"), "landlock: expected on or off, got 'maybe'");
  EXPECT_EQ(Refusal("pidns=moon"), "pidns: expected private or shared, got 'moon'");
  EXPECT_EQ(Refusal("nnp=maybe"), "nnp: expected on or off, got 'maybe'");
  EXPECT_THAT(Refusal("caps=FLY"), HasSubstr("caps: expected default, none, all or names"));
  EXPECT_THAT(Refusal("moon=on"), HasSubstr("expected one of seccomp, caps, nnp"));
  EXPECT_EQ(Refusal("nnp=on,nnp=off"), "nnp: given twice");
  EXPECT_EQ(Refusal("nnp"), "expected key=value, got 'nnp'");
  EXPECT_EQ(Refusal(""), "expected key=value, got ''");
  EXPECT_THAT(Refusal("seccomp=/does/not/exist"), HasSubstr("seccomp: open /does/not/exist: no"));
  EXPECT_THAT(Refusal("seccomp="), HasSubstr("seccomp: expected default, none or a file"));
}

TEST(IsolationOptionTest, ProfileIsCompiledAndItsMistakesNamed) {
  test::TempDir directory;
  std::string path = directory.path() + "/profile.json";
  sys::WriteFile(AT_FDCWD, path, R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
      {"names": ["read"], "action": "SCMP_ACT_ALLOW"}]})",
                 0600)
      .value();
  IsolationOptions options = Parsed("seccomp=" + path);
  EXPECT_EQ(options.seccomp, SeccompChoice::kProfile);
  EXPECT_FALSE(options.seccomp_program.empty());
  EXPECT_EQ(options.seccomp_source, path);
  sys::WriteFile(AT_FDCWD, path, R"({"defaultAction": "SCMP_ACT_MOON"})", 0600).value();
  EXPECT_THAT(Refusal("seccomp=" + path),
              HasSubstr(path + ": defaultAction: unknown action 'SCMP_ACT_MOON'"));
}

class ExplainTest : public testing::Test {
 protected:
  ExplainTest() : plan_(runtime::TaskId::Parse("0123456789abcdef0123456789abcdef").value()) {}

  void Explained(const std::string& json, const IsolationOptions& options = {}) {
    runtime::TaskDefinition definition =
        runtime::ParseTaskDefinition(json, "test").value().definition;
    runtime::PlanRequest request{.id = plan_.id};
    request.isolation = options;
    for (const auto& container : definition.containers) {
      runtime::PlannedImage image{"sha256:0", {}, {"/layer"}};
      image.config.entrypoint = {"/entry"};
      image.config.env = {"A=\x1b[31m"};
      image.config.volumes = {"/data"};
      image.config.exposed_ports = {"80/tcp"};
      image.config.stop_signal = "SIGQUIT";
      request.images[container.image] = image;
    }
    plan_ = MakePlan(definition, request).value();
    parts_ = ExplainPlan(
        {&definition, &plan_, &options, false, "cgroup v2", "cgroup v2", "not enforced"});
  }
  // "value, value [rule]" of an item of a container.
  std::string Item(size_t part, const std::string& what) {
    for (const ExplainedItem& item : parts_.at(part).items) {
      if (item.what != what) continue;
      std::string text;
      for (const std::string& value : item.values) text += (text.empty() ? "" : ", ") + value;
      return text + " [" + item.rule + "]";
    }
    return "(absent)";
  }

  runtime::TaskPlan plan_;
  std::vector<ExplainedPart> parts_;
};

TEST_F(ExplainTest, EveryValueComesWithTheRuleItIsFrom) {
  Explained(R"({"family": "f", "networkMode": "none", "cpu": "512", "memory": "1024",
      "containerDefinitions": [{"name": "c", "image": "i", "memory": 64, "cpu": 128,
        "command": ["x"], "user": "web", "environment": [{"name": "B", "value": "2"}], "readonlyRootFilesystem": true,
        "ulimits": [{"name": "core", "softLimit": 0, "hardLimit": -1}],
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}}}]})");
  EXPECT_EQ(Item(0, "memory"), "1.0 GiB at most (cgroup v2) [memory]");
  EXPECT_EQ(Item(0, "cpu"), "50000 us of every 100000 (cgroup v2) [cpu]");
  EXPECT_EQ(Item(0, "processes"), "4096 at most (not enforced) [default]");
  EXPECT_THAT(Item(0, "network"), HasSubstr("nothing but loopback [networkMode]"));
  EXPECT_EQ(Item(1, "program"), "/entry, x [containerDefinitions[0].command]");
  EXPECT_EQ(Item(1, "user"), "web [containerDefinitions[0].user]");
  EXPECT_EQ(Item(1, "capabilities, once root"),
            "none [default, containerDefinitions[0].linuxParameters.capabilities]")
      << "another user than root holds none";
  EXPECT_EQ(Item(0, "ephemeral storage"),
            "20 GiB at most, where the data root has project quotas [default]");
  EXPECT_THAT(Item(1, "environment"),
              HasSubstr("B=2, PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "
                        "[the image, containerDefinitions[0].environment]"));
  EXPECT_THAT(FormatExplained(parts_), HasSubstr("A=?[31m")) << "nothing steers the terminal";
  EXPECT_EQ(Item(1, "memory"), "64 MiB at most (cgroup v2) [containerDefinitions[0].memory]");
  EXPECT_EQ(Item(1, "ulimit core"), "0:unlimited [containerDefinitions[0].ulimits]");
  EXPECT_THAT(Item(1, "root file system"), HasSubstr("read-only"));
  EXPECT_EQ(Item(1, "volumes"), "/data [the image]");
  EXPECT_THAT(Item(1, "mounts"), HasSubstr("/data: bind of "));
  EXPECT_EQ(Item(1, "exposed ports"), "80/tcp [the image]");
  EXPECT_EQ(Item(1, "stop signal"), "3, then after 30 s SIGKILL [the image]");
  EXPECT_EQ(Item(1, "no_new_privs"), "on [default]");
  EXPECT_THAT(Item(1, "seccomp"), HasSubstr("system calls allowed"));
  EXPECT_THAT(Item(1, "masked paths"), HasSubstr("/proc/kcore"));
  EXPECT_EQ(Item(1, "namespaces of its own"), "pid, mount, uts, ipc, cgroup [default]");
  EXPECT_THAT(Item(0, "user namespace"), HasSubstr("its own: ids 0 to 65535"));
  EXPECT_THAT(Item(1, "namespaces shared"), HasSubstr("user (the task's)"));
}

TEST_F(ExplainTest, SharedProcessesAndAReadonlyTaskSayWhatTheyComeFrom) {
  Explained(R"({"family": "f", "pidMode": "task", "networkMode": "none", "containerDefinitions": [
      {"name": "c", "image": "i", "memory": 64}]})");
  EXPECT_EQ(
      Item(1, "namespaces shared"),
      "user (the task's), time (the host's), pid (the task's), network (the task's) [pidMode]");
  EXPECT_THAT(Item(1, "capabilities"), HasSubstr("CHOWN"));
  Explained(R"({"family": "f", "networkMode": "none", "ephemeralStorage": {"sizeInGiB": 21},
      "containerDefinitions": [{"name": "c", "image": "i", "memory": 64}]})",
            Parsed("pidns=shared"));
  EXPECT_THAT(Item(1, "namespaces shared"), HasSubstr("[--isolation pidns]"));
  EXPECT_EQ(Item(0, "ephemeral storage"), "21 GiB at most [ephemeralStorage]");
}

TEST_F(ExplainTest, TaskWithoutUserNamespaceSaysWhy) {
  const std::string json = R"({"family": "f", "networkMode": "host", "containerDefinitions": [
      {"name": "c", "image": "i", "memory": 64}]})";
  Explained(json);
  EXPECT_EQ(Item(0, "user namespace"), "the host's: ids inside are ids outside [networkMode]");
  EXPECT_THAT(plan_.warnings, testing::ElementsAre(HasSubstr("networkMode host: no user namesp")));
  Explained(json, Parsed("userns=on"));
  EXPECT_THAT(Item(0, "user namespace"), HasSubstr("its own"));
  EXPECT_TRUE(plan_.user_namespace.is_required);
}

TEST_F(ExplainTest, WhatTheCommandLineChangedSaysSo) {
  Explained(R"({"family": "f", "containerDefinitions": [{"name": "c", "image": "i",
      "memory": 64}]})",
            Parsed("seccomp=none,caps=KILL,nnp=off,masked-paths=off"));
  EXPECT_EQ(Item(1, "capabilities"), "KILL [--isolation caps]");
  EXPECT_EQ(Item(1, "no_new_privs"), "off [--isolation nnp]");
  EXPECT_EQ(Item(1, "seccomp"), "none: every system call [--isolation seccomp]");
  EXPECT_EQ(Item(1, "masked paths"), "none [--isolation masked-paths]");
  std::string text = FormatExplained(parts_);
  EXPECT_THAT(text, HasSubstr("container c\n"));
  EXPECT_THAT(text, HasSubstr("off  [--isolation nnp]\n"));
  std::string json = EncodeExplained(parts_, plan_.warnings);
  EXPECT_THAT(json, HasSubstr("\"rule\": \"--isolation caps\""));
  EXPECT_THAT(json, HasSubstr("--isolation nnp=off: set-user-id programs"));
}

TEST(SyscallProfileTest, CallsDecidedByAnArgumentStaySo) {
  isolation::TracedCalls calls;
  calls.names = {"read", "clone", "socket", "socketpair", "personality"};
  calls.socket_families = {2, 16};
  calls.netlink_protocols = {0};
  std::string text = EncodeSyscallProfile(calls);
  auto profile = isolation::oci::ParseSeccompProfile(text);
  ASSERT_TRUE(profile.ok()) << profile.error().message();
  EXPECT_TRUE(isolation::oci::CompileSeccomp(profile.value()).ok());
  const auto& rules = profile.value().rules;
  EXPECT_THAT(rules.at(0).names, testing::IsSupersetOf({"read", "execve", "exit_group"}));
  for (const char* call : {"clone", "socket", "socketpair", "personality"}) {
    EXPECT_THAT(rules.at(0).names, Not(testing::Contains(call)));
  }
  // clone, AF_INET, AF_NETLINK with its protocol, the pair, five personalities
  ASSERT_EQ(rules.size(), 10U);
  EXPECT_EQ(rules[1].arguments.at(0).value, 0x7e020000U);
  EXPECT_EQ(rules[2].arguments.at(0).value, 2U);
  EXPECT_EQ(rules[3].arguments.at(1).value, 0U);
  EXPECT_EQ(rules[4].names.at(0), "socketpair");
}

TEST(SyscallProfileTest, TracedCallsComeBackFromTheirFile) {
  isolation::TracedCalls calls;
  calls.names = {"read", "write"};
  calls.socket_families = {1};
  calls.netlink_protocols = {15};
  EXPECT_EQ(isolation::DecodeTracedCalls(EncodeTracedCalls(calls)).value(), calls);
  for (const char* odd : {"call", "call ", "socket x", "moon 1"}) {
    EXPECT_THAT(isolation::DecodeTracedCalls(odd).error().message(), HasSubstr("odd line")) << odd;
  }
}

TEST(CommandLineTest, ExplainTakesTheWordsOfRun) {
  ParsedArguments parsed = ParseArguments(
      {"explain", "--json", "--isolation", "nnp=off", "-e", "A=1", "nginx", "--", "-g", "x"});
  ASSERT_TRUE(parsed.command_line.has_value()) << parsed.error;
  const auto& explain = std::get<Explain>(parsed.command_line->command);
  EXPECT_TRUE(explain.is_json);
  EXPECT_EQ(explain.run.isolation.no_new_privileges, false);
  EXPECT_EQ(explain.run.image.command.size(), 2U);
  ParsedArguments refused = ParseArguments({"run", "--isolation", "moon=on", "x"});
  EXPECT_EQ(refused.status, kExitUsage);
  EXPECT_THAT(refused.error, HasSubstr("--isolation: expected one of seccomp, caps"));
}

}  // namespace
}  // namespace skiff::tools
