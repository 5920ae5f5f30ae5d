// RunTask's idempotency: what a client token stands for, kept for a day. Values and functions of
// the store; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/store/store.h"

namespace skiff::runtime::api {

struct ClientToken {
  std::string fingerprint;  // of the request
  std::vector<std::string> tasks;
  int64_t created_at = 0;  // wall nanoseconds
  bool operator==(const ClientToken&) const = default;
};
std::string Encode(const ClientToken& token);
Result<ClientToken> DecodeClientToken(std::string_view value);

// nullopt: not used in the last day, or `token` is empty.
Result<std::optional<ClientToken>> FindClientToken(Store& store, const std::string& cluster,
                                                   const std::string& token);

// Removals of the tokens behind `cursor` that are past their day; moves the cursor on, round and
// round. Called with every new token and looking at two, it keeps their number bounded by use.
Result<std::vector<RecordWrite>> ExpiredTokens(Store& store, std::string& cursor, int64_t now);

}  // namespace skiff::runtime::api
