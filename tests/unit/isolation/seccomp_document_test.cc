// docs/CONFINEMENT.md says what skiff's default allows, beside others' defaults: its column is
// compared with the tables that the profile is compiled from.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <algorithm>
#include <map>

#include "isolation/base/text.h"
#include "isolation/capabilities.h"
#include "isolation/seccomp.h"
#include "isolation/seccomp_profile.h"
#include "isolation/sys/file.h"

namespace skiff::isolation {
namespace {

std::string Page() {
  return sys::ReadFile(AT_FDCWD, std::string(SKIFF_SOURCE_DIRECTORY) + "/docs/CONFINEMENT.md")
      .value();
}

// Skiff's cell of each row of the first table, by the row's first cell.
std::map<std::string, std::string> Column() {
  std::string page = Page();
  std::map<std::string, std::string> cells;
  bool is_in_table = false;
  for (std::string_view line : Split(page, '\n')) {
    if (line.starts_with("| | skiff |")) is_in_table = true;
    if (is_in_table && !line.starts_with("|")) break;
    if (!is_in_table) continue;
    std::vector<std::string_view> parts = Split(line, '|');
    if (parts.size() < 3) continue;
    cells[std::string(TrimSpace(parts[1]))] = TrimSpace(parts[2]);
  }
  return cells;
}

bool Holds(std::span<const SeccompGroup> groups, std::string_view call) {
  return std::any_of(groups.begin(), groups.end(), [&](const SeccompGroup& group) {
    return std::any_of(group.calls.begin(), group.calls.end(),
                       [&](const char* each) { return call == each; });
  });
}

// As the table says it. Calls that a condition decides are not asked here.
std::string Word(std::string_view call) {
  if (Holds(AllowedSeccompGroups(), call)) return "yes";
  return Holds(DebuggingSeccompGroups(), call) ? "with SYS_PTRACE" : "no";
}

std::string Names(std::span<const SeccompValue> values, std::string_view prefix) {
  std::string text;
  for (const SeccompValue& value : values) {
    std::string_view name = value.name;
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    text.append(text.empty() ? "" : ", ").append(name);
  }
  return text;
}

TEST(SeccompDocumentTest, NumbersAreThoseOfTheProfile) {
  std::map<std::string, std::string> column = Column();
  auto allowed = [](uint32_t architecture) {
    return std::to_string(DefaultSeccompAllowedCount({.architecture = architecture}));
  };
  EXPECT_EQ(column["system calls allowed on x86-64"], allowed(AUDIT_ARCH_X86_64));
  EXPECT_EQ(column["the same on arm64"], allowed(AUDIT_ARCH_AARCH64));
  EXPECT_EQ(column["capabilities"], std::to_string(CapabilityNames(DefaultCapabilities()).size()));
}

TEST(SeccompDocumentTest, EveryRowOfCallsSaysWhatTheTablesDo) {
  std::map<std::string, std::string> column = Column();
  const std::pair<const char*, std::vector<const char*>> rows[] = {
      {"`io_uring_*`", {"io_uring_setup", "io_uring_enter", "io_uring_register"}},
      {"`mount`, `umount2`, `fsopen`, `move_mount`, `open_tree`",
       {"mount", "umount2", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree",
        "mount_setattr", "pivot_root"}},
      {"`unshare`, `setns`", {"unshare", "setns"}},
      {"`ptrace`, `process_vm_*`", {"ptrace", "process_vm_readv", "process_vm_writev"}},
      {"`pidfd_getfd`, `process_madvise`, `kcmp`", {"pidfd_getfd", "process_madvise", "kcmp"}},
      {"`bpf`, `perf_event_open`", {"bpf", "perf_event_open"}},
      {"`userfaultfd`", {"userfaultfd"}},
      {"`open_by_handle_at`", {"open_by_handle_at"}},
  };
  for (const auto& [row, calls] : rows) {
    for (const char* call : calls) EXPECT_EQ(column[row], Word(call)) << row << ": " << call;
  }
  EXPECT_EQ(column["`keyctl` / `add_key`, `request_key`"],
            Word("keyctl") + " / " + Word("add_key"));
  EXPECT_EQ(Word("request_key"), Word("add_key"));
  EXPECT_THAT(column["`clone3`"], testing::StartsWith("ENOSYS"));
  EXPECT_EQ(Word("clone3"), "no");
  EXPECT_FALSE(Holds(DeniedSeccompGroups(), "clone3")) << "EPERM would make libc give up";
}

TEST(SeccompDocumentTest, SocketsAndCapabilitiesAreNamedAsTheyAre) {
  std::map<std::string, std::string> column = Column();
  EXPECT_EQ(column["socket families"], Names(AllowedSocketFamilies(), ""));
  EXPECT_EQ(column["netlink protocols"], Names(AllowedNetlinkProtocols(), "NETLINK_"));
  std::string page = Page();
  size_t begin = page.find("The eleven capabilities: ");
  ASSERT_NE(begin, std::string::npos);
  begin += std::string("The eleven capabilities: ").size();
  std::string listed = page.substr(begin, page.find('.', begin) - begin);
  std::replace(listed.begin(), listed.end(), '\n', ' ');
  std::vector<std::string> names;
  for (std::string_view name : Split(listed, ',')) names.emplace_back(TrimSpace(name));
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(CapabilityNames(DefaultCapabilities())));
}

}  // namespace
}  // namespace skiff::isolation
