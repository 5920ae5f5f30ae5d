#include "isolation/user_lookup.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "isolation/base/text.h"
#include "isolation/limits.h"
#include "isolation/sys/file.h"

namespace skiff::isolation {
namespace {

constexpr uint64_t kMaxId = 2'147'483'647;

struct PasswdEntry {
  std::string_view name;
  uint32_t uid;
  uint32_t gid;
  std::string_view home;
};
struct GroupEntry {
  std::string_view name;
  uint32_t gid;
  std::vector<std::string_view> members;
};

std::vector<PasswdEntry> ParsePasswd(std::string_view text) {
  std::vector<PasswdEntry> entries;
  for (std::string_view line : Split(text, '\n')) {
    std::vector<std::string_view> fields = Split(line, ':');
    if (fields.size() < 4 || fields[0].empty()) continue;
    auto uid = ParseUint(fields[2], kMaxId);
    auto gid = ParseUint(fields[3], kMaxId);
    if (!uid || !gid) continue;  // a line nobody can log in with
    entries.push_back({fields[0], static_cast<uint32_t>(*uid), static_cast<uint32_t>(*gid),
                       fields.size() > 5 ? fields[5] : std::string_view()});
  }
  return entries;
}

std::vector<GroupEntry> ParseGroup(std::string_view text) {
  std::vector<GroupEntry> entries;
  for (std::string_view line : Split(text, '\n')) {
    std::vector<std::string_view> fields = Split(line, ':');
    if (fields.size() < 3 || fields[0].empty()) continue;
    auto gid = ParseUint(fields[2], kMaxId);
    if (!gid) continue;
    GroupEntry entry{fields[0], static_cast<uint32_t>(*gid), {}};
    if (fields.size() > 3) entry.members = Split(fields[3], ',');
    entries.push_back(std::move(entry));
  }
  return entries;
}

bool IsNumber(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Error Unknown(std::string_view kind, std::string_view name) {
  return Error(Code::kInvalid, std::string(kind) + " '" + std::string(name) +
                                   "' is not in the image's /etc/" +
                                   (kind == "user" ? "passwd" : "group"));
}

Error BadNumber(std::string_view kind, std::string_view text) {
  return Error(Code::kInvalid,
               std::string(kind) + " '" + std::string(text) + "' is not between 0 and 2147483647");
}

Result<uint32_t> ResolveGroup(std::string_view name, const std::vector<GroupEntry>& groups) {
  for (const GroupEntry& entry : groups) {
    if (entry.name == name) return entry.gid;
  }
  if (!IsNumber(name)) return Unknown("group", name);
  auto gid = ParseUint(name, kMaxId);
  if (!gid) return BadNumber("group", name);
  return static_cast<uint32_t>(*gid);
}

Result<std::optional<PasswdEntry>> FindUser(std::string_view name,
                                            const std::vector<PasswdEntry>& users) {
  for (const PasswdEntry& entry : users) {
    if (entry.name == name) return std::optional<PasswdEntry>(entry);
  }
  if (!IsNumber(name)) return Unknown("user", name);
  auto uid = ParseUint(name, kMaxId);
  if (!uid) return BadNumber("user", name);
  for (const PasswdEntry& entry : users) {
    if (entry.uid == *uid) return std::optional<PasswdEntry>(entry);
  }
  return std::optional<PasswdEntry>();
}

// An image's files may be absent; anything else wrong with them is an error.
Result<std::string> ReadOptional(int rootfs, const std::string& path) {
  Result<UniqueFd> fd = sys::OpenInRoot(rootfs, path, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) {
    int error_number = fd.error().sys_errno();
    if (error_number == ENOENT || error_number == ENOTDIR) return std::string();
    return std::move(fd).error();
  }
  struct stat info = TRY(sys::StatFd(fd.value().get()));
  if (!S_ISREG(info.st_mode))
    return Error(Code::kInvalid, path + " of the image is not a regular file");
  return sys::ReadAll(fd.value().get(), path, kMaxAccountFile);
}

}  // namespace

Result<ContainerUser> ResolveUser(std::string_view user, std::string_view passwd,
                                  std::string_view group) {
  std::vector<PasswdEntry> users = ParsePasswd(passwd);
  std::vector<GroupEntry> groups = ParseGroup(group);
  size_t colon = user.find(':');
  std::string_view name = user.substr(0, colon);
  if (user.empty()) name = "0";
  if (name.empty() || (colon != std::string_view::npos && colon + 1 == user.size())) {
    return Error(Code::kInvalid,
                 "user '" + std::string(user) + "' is not of the form USER or USER:GROUP");
  }
  std::optional<PasswdEntry> entry = TRY(FindUser(name, users));
  ContainerUser resolved;
  resolved.uid = entry ? entry->uid : static_cast<uint32_t>(*ParseUint(name, kMaxId));
  resolved.gid = entry ? entry->gid : 0;
  if (entry && !entry->home.empty() && entry->home[0] == '/') resolved.home = entry->home;
  if (colon != std::string_view::npos) {
    resolved.gid = TRY(ResolveGroup(user.substr(colon + 1), groups));
  } else if (entry) {
    // Only a user named without a group brings the groups it is a member of, as with Docker.
    for (const GroupEntry& candidate : groups) {
      bool is_member = std::find(candidate.members.begin(), candidate.members.end(), entry->name) !=
                       candidate.members.end();
      if (is_member && resolved.groups.size() < kMaxGroups)
        resolved.groups.push_back(candidate.gid);
    }
  }
  return resolved;
}

Result<ContainerUser> ResolveUserIn(int rootfs, std::string_view user) {
  std::string passwd = TRY(ReadOptional(rootfs, "etc/passwd"));
  std::string group = TRY(ReadOptional(rootfs, "etc/group"));
  return ResolveUser(user, passwd, group);
}

}  // namespace skiff::isolation
