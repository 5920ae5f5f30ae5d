// The pieces ParseConfig is made of, one file each. Private to isolation/oci.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "isolation/base/json.h"
#include "isolation/oci/config.h"

namespace skiff::isolation::oci {

inline constexpr int64_t kMaxUint32 = UINT32_MAX;

Result<> ParseProcess(const JsonCursor& process, Config* config);
Result<> ParseResourceMembers(const JsonCursor& resources, Resources* parsed);
Result<> ParseScheduling(const JsonCursor& process, Process* parsed);
Result<> ParseNetDevices(const JsonCursor& linux_section, Config* config);
Result<> ParseMemoryPolicy(const JsonCursor& linux_section, Config* config);
std::vector<std::string> KnownMemoryPolicyModes();
std::vector<std::string> KnownMemoryPolicyFlags();
Result<> ParseLinux(const JsonCursor& linux_section, Config* config);
Result<> ParseMappings(const JsonCursor& section, std::string_view name,
                       std::vector<IdMapping>* mappings);
Result<SeccompProfile> ParseSeccomp(const JsonCursor& seccomp);

// An error when one of `names` is present and says something: not null, false, 0, "", [] or {}.
Result<> RefuseMembers(const JsonCursor& object, std::initializer_list<std::string_view> names);

// Lists longer than kMaxListEntries are refused.
Result<std::vector<JsonCursor>> FindList(const JsonCursor& object, std::string_view name);
Result<std::vector<std::string>> FindStringList(const JsonCursor& object, std::string_view name);

// A string without NUL, which the kernel would cut short.
Result<std::string> CleanString(const JsonCursor& text);
// An absolute path.
Result<std::string> AbsolutePath(const JsonCursor& text);

}  // namespace skiff::isolation::oci
