// Any USER with any /etc/passwd and /etc/group: no id that nobody gave, above all not 0
// (CVE-2024-40635).
#include <string>

#include "isolation/base/text.h"
#include "isolation/limits.h"
#include "isolation/user_lookup.h"
#include "tests/fuzz/check.h"

namespace {

using skiff::Split;

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Whether a line of the file has `id` as its field of that number, in plain decimal.
bool Lists(std::string_view file, size_t field, uint32_t id) {
  for (std::string_view line : Split(file, '\n')) {
    std::vector<std::string_view> fields = Split(line, ':');
    if (fields.size() > field && skiff::ParseUint(fields[field]) == uint64_t{id}) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using skiff::fuzz::Check;
  auto parts = skiff::fuzz::Parts(skiff::fuzz::TextOf(data, size), 3);
  std::string_view user = parts[0];
  std::string_view passwd = parts[1];
  std::string_view group = parts[2];
  auto resolved = skiff::isolation::ResolveUser(user, passwd, group);
  if (!resolved.ok()) return 0;
  const skiff::isolation::ContainerUser& found = resolved.value();
  Check(found.uid <= INT32_MAX && found.gid <= INT32_MAX);
  Check(found.groups.size() <= skiff::isolation::kMaxGroups);
  Check(found.home.starts_with('/'));
  std::string_view name = user.substr(0, user.find(':'));
  bool is_given = user.empty() ? found.uid == 0 : skiff::ParseUint(name) == uint64_t{found.uid};
  Check((is_given && (user.empty() || IsNumber(name))) || Lists(passwd, 2, found.uid));
  for (uint32_t gid : found.groups) Check(Lists(group, 2, gid));
  return 0;
}
