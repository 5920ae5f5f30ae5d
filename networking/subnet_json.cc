#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "networking/limits.h"
#include "networking/subnet.h"

namespace skiff::networking {

std::string EncodeSubnetFile(const Subnet& subnet) {
  nlohmann::json file{{"bridge", subnet.installation.bridge},
                      {"gateway", subnet.gateway.ToString()},
                      {"prefix", subnet.prefix.ToString()}};
  return EncodeJson(file, 2) + "\n";
}

Result<Ipv4Prefix> DecodeSubnetFile(std::string_view text, std::string_view path) {
  JsonDocument document = TRY(JsonDocument::Parse(text, path));
  JsonCursor member = TRY(document.root().Get("prefix"));
  std::string prefix_text = TRY(member.String());
  Ipv4Prefix prefix = TRY(Ipv4Prefix::Parse(prefix_text).Context(member.path()));
  if (prefix.length() < kMinSubnetBits || prefix.length() > kMaxSubnetBits)
    return member.Invalid("must be /" + std::to_string(kMinSubnetBits) + " to /" +
                          std::to_string(kMaxSubnetBits));
  return prefix;
}

}  // namespace skiff::networking
