#include "tools/skiff/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "tools/skiff/exit_status.h"
#include "tools/skiff/run_definition.h"

namespace skiff::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using RunOptions = Run;  // a test has a Run() of its own

template <typename T>
T Parsed(std::vector<std::string> arguments) {
  ParsedArguments parsed = ParseArguments(std::move(arguments));
  EXPECT_TRUE(parsed.command_line.has_value()) << parsed.error;
  return std::get<T>(parsed.command_line->command);
}

std::string UsageError(std::vector<std::string> arguments) {
  ParsedArguments parsed = ParseArguments(std::move(arguments));
  EXPECT_FALSE(parsed.command_line.has_value());
  EXPECT_EQ(parsed.status, kExitUsage);
  EXPECT_THAT(parsed.output, IsEmpty());
  return parsed.error;
}

TEST(CommandLineTest, WhatFollowsTheDashesReachesTheContainerAsTyped) {
  RunOptions run =
      Parsed<RunOptions>({"run", "busybox", "--", "sh", "-c", "[a,b]", "--", "", "-d"});
  EXPECT_EQ(run.target, "busybox");
  EXPECT_THAT(run.image.command, ElementsAre("sh", "-c", "[a,b]", "--", "", "-d"));
  EXPECT_FALSE(run.is_detached);
}

TEST(CommandLineTest, TheFlagsOfAnImageRunBecomeATaskDefinition) {
  RunOptions run = Parsed<RunOptions>({"run",
                                       "-e",
                                       "A=1",
                                       "-e",
                                       "B=x,y",
                                       "--user",
                                       "web",
                                       "-w",
                                       "/srv",
                                       "--entrypoint",
                                       "/bin/sh",
                                       "--cpu",
                                       "512",
                                       "--memory",
                                       "1g",
                                       "--read-only",
                                       "--ulimit",
                                       "nofile=10:20",
                                       "quay.io/team/app:1.2",
                                       "--",
                                       "-c",
                                       "id"});
  runtime::TaskDefinition definition = DefinitionOfImage(run);
  EXPECT_EQ(definition.family, "app");
  EXPECT_EQ(definition.network_mode, runtime::NetworkMode::kAwsvpc);
  EXPECT_EQ(definition.cpu, runtime::CpuUnits(512));
  EXPECT_EQ(definition.memory, Bytes::GiB(1));
  ASSERT_EQ(definition.containers.size(), 1U);
  const runtime::ContainerDefinition& container = definition.containers[0];
  EXPECT_EQ(container.name, "app");
  EXPECT_EQ(container.image, "quay.io/team/app:1.2");
  EXPECT_THAT(container.environment,
              ElementsAre(runtime::KeyValue{"A", "1"}, runtime::KeyValue{"B", "x,y"}));
  EXPECT_EQ(container.user, "web");
  EXPECT_EQ(container.working_directory, "/srv");
  EXPECT_THAT(container.entry_point, ElementsAre("/bin/sh"));
  EXPECT_THAT(container.command, ElementsAre("-c", "id"));
  EXPECT_TRUE(static_cast<bool>(container.readonly_root_filesystem));
  EXPECT_THAT(container.ulimits, ElementsAre(runtime::Ulimit{"nofile", 10, 20}));
}

TEST(CommandLineTest, TheFlagsOfTheTaskAreTaken) {
  RunOptions run = Parsed<RunOptions>({"run", "-d", "--keep", "-p", "8080:80", "-p", "53:53/udp",
                                       "--network", "none", "--stop-timeout", "5", "web.json"});
  EXPECT_TRUE(run.is_detached);
  EXPECT_TRUE(run.keep);
  EXPECT_EQ(run.ports.size(), 2U);
  EXPECT_EQ(run.network, runtime::NetworkMode::kNone);
  EXPECT_EQ(run.stop_timeout, std::chrono::seconds(5));
  EXPECT_THAT(run.image_flags, IsEmpty());
}

TEST(CommandLineTest, FlagsForContainersAreRefusedBesideATaskDefinition) {
  RunOptions run = Parsed<RunOptions>({"run", "--memory", "1g", "web.json"});
  EXPECT_THAT(run.image_flags, ElementsAre("--memory"));
  EXPECT_THAT(MakeDefinition(run).error().message(), HasSubstr("--memory is for images"));
  RunOptions command = Parsed<RunOptions>({"run", "web.json", "--", "ls"});
  EXPECT_THAT(MakeDefinition(command).error().message(), HasSubstr("a command after --"));
}

TEST(CommandLineTest, TheRootsAreMadeAbsoluteAndNormalWhereverTheyStand) {
  for (auto arguments : {std::vector<std::string>{"--data-root", "/a/./b//", "ps"},
                         std::vector<std::string>{"ps", "--data-root", "/a/x/../b"}}) {
    ParsedArguments parsed = ParseArguments(arguments);
    ASSERT_TRUE(parsed.command_line) << parsed.error;
    EXPECT_EQ(parsed.command_line->roots.data, "/a/b");
    EXPECT_EQ(parsed.command_line->roots.run, runtime::kDefaultRunRoot);
  }
}

TEST(CommandLineTest, WrongUsageNamesTheArgument) {
  EXPECT_THAT(UsageError({}), HasSubstr("subcommand is required"));
  EXPECT_THAT(UsageError({"run"}), HasSubstr("TARGET is required"));
  EXPECT_THAT(UsageError({"run", "busybox", "--nope"}), HasSubstr("--nope"));
  EXPECT_THAT(UsageError({"run", "busybox", "ls"}), HasSubstr("ls"));
  EXPECT_THAT(UsageError({"run", "--cpu", "fast", "busybox"}),
              HasSubstr("--cpu: expected CPU units"));
  EXPECT_THAT(UsageError({"run", "--network", "bridge", "x"}), HasSubstr("awsvpc, host or none"));
  EXPECT_THAT(UsageError({"logs", "--tail", "-1", "3f2a"}), HasSubstr("--tail"));
  EXPECT_THAT(UsageError({"ps", "--", "x"}),
              HasSubstr("only run, explain and trace-syscalls take a command"));
}

TEST(CommandLineTest, EveryCommandHasHelpWithAnExample) {
  for (auto command : std::vector<std::vector<std::string>>{{"run"},
                                                            {"ps"},
                                                            {"logs"},
                                                            {"stop"},
                                                            {"rm"},
                                                            {"inspect"},
                                                            {"doctor"},
                                                            {"image", "import"},
                                                            {"image", "list"},
                                                            {"image", "inspect"},
                                                            {"image", "remove"}}) {
    std::string name = "skiff " + command.front();
    command.emplace_back("--help");
    ParsedArguments parsed = ParseArguments(command);
    EXPECT_EQ(parsed.status, 0) << name;
    EXPECT_THAT(parsed.output, HasSubstr("Example")) << name;
    EXPECT_THAT(parsed.output, HasSubstr(name));
  }
}

TEST(CommandLineTest, HelpShowsTheExitStatuses) {
  std::string help = ParseArguments({"--help"}).output;
  for (const char* status : {"\n  0 ", "\n  64", "\n  66", "\n  77", "\n  125", "\n  127"}) {
    EXPECT_THAT(help, HasSubstr(status));
  }
  EXPECT_THAT(ParseArguments({"--version"}).output, testing::StartsWith("skiff "));
}

TEST(ExitStatusTest, EveryCodeHasItsOwn) {
  std::set<int> statuses;
  for (Code code : {Code::kInvalid, Code::kNotFound, Code::kConflict, Code::kDenied,
                    Code::kExhausted, Code::kUnavailable, Code::kTimeout, Code::kInternal}) {
    int status = ExitStatusOf(code);
    EXPECT_TRUE(statuses.insert(status).second) << CodeName(code);
    EXPECT_GT(status, 0);
    EXPECT_LT(status, kExitNotStarted);
    EXPECT_NE(status, kExitUsage);
  }
}

// Inside single quotes of a shell.
std::string ShellQuoted(const std::string& text) {
  std::string quoted;
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted;
}

// What bash completes behind `words`, of which the last is begun.
std::string Completed(const std::string& words, int count) {
  std::string script = ParseArguments({"completion", "bash"}).output;
  script += "COMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(count - 1) +
            "; _skiff; echo ${COMPREPLY[@]}";
  FILE* shell = popen(("exec bash -c '" + ShellQuoted(script) + "'").c_str(), "r");
  if (shell == nullptr) return "no shell";
  std::string output;
  for (int c; (c = fgetc(shell)) != EOF;) output += static_cast<char>(c);
  return pclose(shell) == 0 ? output : "the script fails: " + output;
}

TEST(CompletionTest, CommandsTheirCommandsAndFlagsAreCompleted) {
  EXPECT_EQ(Completed("skiff st", 2), "stop\n");
  EXPECT_EQ(Completed("skiff image li", 3), "list\n");
  EXPECT_EQ(Completed("skiff --data-root=/x image list --q", 5), "--quiet\n");
  EXPECT_EQ(Completed("skiff ps --a", 3), "--all\n");
}

TEST(CompletionTest, EveryShellHasAScriptAndOthersAreRefused) {
  EXPECT_THAT(ParseArguments({"completion", "zsh"}).output, testing::HasSubstr("bashcompinit"));
  EXPECT_THAT(ParseArguments({"completion", "fish"}).output,
              testing::HasSubstr("complete -c skiff -n '__fish_seen_subcommand_from ps' -l quiet"));
  ParsedArguments refused = ParseArguments({"completion", "tcsh"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.error, testing::HasSubstr("expected bash, zsh or fish, got 'tcsh'"));
}

TEST(CommandLineTest, ImagesAreLookedAfter) {
  EXPECT_EQ(Parsed<ImageTag>({"image", "tag", "nginx", "web:1"}).name, "web:1");
  ImageVerify verify = Parsed<ImageVerify>({"image", "verify", "--repair", "nginx"});
  EXPECT_TRUE(verify.is_repairing);
  EXPECT_THAT(verify.images, ElementsAre("nginx"));
  EXPECT_TRUE(Parsed<ImageDu>({"image", "du", "--json"}).is_json);
  ImagePrune prune =
      Parsed<ImagePrune>({"image", "prune", "-a", "--until", "2026-01-31T12:00:00Z", "--filter",
                          "label=stage=test=1", "--filter", "label=old"});
  EXPECT_TRUE(prune.is_all);
  EXPECT_EQ(prune.until, 1'769'860'800'000'000'000);
  EXPECT_THAT(prune.labels,
              ElementsAre(testing::Pair("stage", "test=1"), testing::Pair("old", "")));
  EXPECT_TRUE(Parsed<ImagePrune>({"image", "prune", "--filter", "until=24h"}).until.has_value());
  EXPECT_THAT(UsageError({"image", "prune", "--filter", "dangling=true"}), HasSubstr("label=NAME"));
  EXPECT_THAT(UsageError({"image", "prune", "--until", "soon"}), HasSubstr("duration"));
}

TEST(CommandLineTest, ImagesComeAndGo) {
  ImagePush push =
      Parsed<ImagePush>({"image", "push", "--tls-verify=false", "web", "r.local/web:1"});
  EXPECT_FALSE(push.is_verified);
  EXPECT_EQ(push.destination, "r.local/web:1");
  ImageExport archive = Parsed<ImageExport>({"image", "export", "a", "b", "-o", "x.tar"});
  EXPECT_THAT(archive.images, ElementsAre("a", "b"));
  EXPECT_EQ(archive.format, "oci-archive");
  EXPECT_EQ(Parsed<ImageExport>({"image", "save", "a"}).format, "docker-archive");
  EXPECT_THAT(UsageError({"image", "export", "a", "--format", "zip"}), HasSubstr("zip"));
  EXPECT_EQ(Parsed<ImageImport>({"image", "load", "-i", "x.tar"}).path, "x.tar");
  EXPECT_EQ(Parsed<ImagePull>({"image", "pull", "a"}).keeps_files, std::nullopt);
  EXPECT_EQ(Parsed<ImagePull>({"image", "pull", "--keep-layer-files=false", "a"}).keeps_files,
            false);
  EXPECT_EQ(Parsed<ImagePull>({"image", "pull", "--keep-layer-files", "a"}).keeps_files, true);
}

}  // namespace
}  // namespace skiff::tools
