#include "isolation/oci/joined_user.h"

#include <fcntl.h>

#include <algorithm>
#include <tuple>

#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "isolation/sys/namespace_types.h"
#include "isolation/sys/user_namespace.h"

namespace skiff::isolation::oci {
namespace {

// "         0     100000      65536", by line.
std::vector<IdMapping> ParseIdMap(std::string_view text) {
  std::vector<IdMapping> mappings;
  for (std::string_view line : Split(text, '\n')) {
    std::vector<uint32_t> numbers;
    for (std::string_view word : Split(line, ' ')) {
      std::optional<uint64_t> number = ParseUint(word, UINT32_MAX);
      if (number) numbers.push_back(static_cast<uint32_t>(*number));
    }
    if (numbers.size() == 3) mappings.push_back({numbers[0], numbers[1], numbers[2]});
  }
  return mappings;
}

Result<> Settle(const char* member, std::vector<IdMapping> actual,
                std::vector<IdMapping>* mappings) {
  auto key = [](const IdMapping& m) { return std::tuple(m.inside, m.outside, m.size); };
  auto is_before = [&](const IdMapping& a, const IdMapping& b) { return key(a) < key(b); };
  auto is_same = [&](const IdMapping& a, const IdMapping& b) { return key(a) == key(b); };
  std::sort(mappings->begin(), mappings->end(), is_before);
  std::sort(actual.begin(), actual.end(), is_before);
  bool is_settled = mappings->empty() || std::equal(mappings->begin(), mappings->end(),
                                                    actual.begin(), actual.end(), is_same);
  if (!is_settled) {
    return Error(Code::kInvalid,
                 std::string(member) + ": differ from those of the user namespace that is joined");
  }
  *mappings = std::move(actual);
  return {};
}

Result<> CheckMapped(const char* member, uint32_t id, const std::vector<IdMapping>& mappings) {
  bool is_mapped = std::any_of(mappings.begin(), mappings.end(), [&](const IdMapping& m) {
    return id >= m.inside && id - m.inside < m.size;
  });
  if (is_mapped) return {};
  return Error(Code::kInvalid, std::string(member) + ": " + std::to_string(id) +
                                   " is not mapped in the user namespace that is joined");
}

Result<UniqueFd> OpenUser(const Config& config) {
  const std::string& path = config.namespaces.at(NamespaceType::kUser);
  return sys::Open(AT_FDCWD, path, O_RDONLY).Context("linux.namespaces: user");
}

}  // namespace

bool JoinsUser(const Config& config) {
  auto found = config.namespaces.find(NamespaceType::kUser);
  return found != config.namespaces.end() && !found->second.empty();
}

Result<UniqueFd> OpenJoinedUser(Config* config, bool is_entered) {
  if (!JoinsUser(*config)) return UniqueFd();
  UniqueFd user;
  sys::IdMapTexts maps;
  if (is_entered) {
    maps.users = TRY(sys::ReadFile(AT_FDCWD, "/proc/self/uid_map"));
    maps.groups = TRY(sys::ReadFile(AT_FDCWD, "/proc/self/gid_map"));
  } else {
    user = TRY(OpenUser(*config));
    maps = TRY(sys::ReadIdMaps(user.get()).Context("linux.namespaces"));
  }
  TRY(Settle("linux.uidMappings", ParseIdMap(maps.users), &config->uid_mappings));
  TRY(Settle("linux.gidMappings", ParseIdMap(maps.groups), &config->gid_mappings));
  TRY(CheckMapped("process.user.uid", config->process.uid, config->uid_mappings));
  TRY(CheckMapped("process.user.gid", config->process.gid, config->gid_mappings));
  return user;
}

Result<> BecomeRootOfJoinedUser(const Config& config) {
  UniqueFd user = TRY(OpenUser(config));
  return sys::BecomeRootOf(user.get()).Context("linux.namespaces: join user namespace");
}

Result<> BecomeRootOfJoinedUser(std::vector<NamespaceJoin>* joins) {
  auto user = std::find_if(joins->begin(), joins->end(),
                           [](const NamespaceJoin& j) { return j.type == sys::kUserNamespace; });
  if (user == joins->end())
    return Error(Code::kDenied,
                 "the container's user namespace is the caller's: he needs to be root");
  TRY(sys::BecomeRootOf(user->fd).Context("user namespace"));
  joins->erase(user);
  return {};
}

}  // namespace skiff::isolation::oci
