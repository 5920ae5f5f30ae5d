// Any text as the headers of a registry's answer: WWW-Authenticate, Location, Retry-After and
// Content-Range. No crash, and what comes out keeps its promises.
#include <algorithm>

#include "images/registry/challenge.h"
#include "images/registry/headers.h"
#include "images/registry/limits.h"
#include "networking/http/url.h"
#include "tests/fuzz/check.h"

namespace {

namespace registry = skiff::images::registry;
using skiff::Result;
using skiff::fuzz::Check;
using skiff::networking::http::Url;

void CheckChallenges(std::string_view header) {
  auto challenges = registry::ParseChallenges(header);
  if (!challenges.ok()) return;
  Check(!challenges.value().empty());
  Check(challenges.value().size() <= registry::kMaxChallengeParameters);
  for (const registry::Challenge& challenge : challenges.value()) {
    Check(!challenge.scheme.empty());
    for (const auto& [name, value] : challenge.parameters) {
      // They go into requests: nothing in them ends a line.
      Check(!name.empty() && (name + value).find_first_of("\r\n") == std::string::npos);
    }
  }
}

void CheckLocation(std::string_view header) {
  Url base{true, "registry.local", 443, "/v2/app/blobs/uploads/"};
  Result<Url> url = base.Resolve(header);
  if (!url.ok()) return;
  Check(!url.value().host.empty() && url.value().port != 0);
  Check(url.value().target.starts_with('/'));
  for (const std::string& part : {url.value().host, url.value().target}) {
    Check(std::none_of(part.begin(), part.end(),
                       [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 127; }));
  }
  // Credentials go by the origin: what it is must not depend on how it is spelled.
  Result<Url> again = Url::Parse(url.value().ToString());
  Check(again.ok() && again.value().Origin() == url.value().Origin());
}

void CheckRange(std::string_view header) {
  auto range = registry::ParseContentRange(header);
  if (!range) return;
  Check(range->first <= range->last);
  Check(!range->size || range->last < *range->size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto parts = skiff::fuzz::Parts(skiff::fuzz::TextOf(data, size), 4);
  CheckChallenges(parts[0]);
  CheckLocation(parts[1]);
  auto delay = registry::ParseRetryAfter(parts[2], 1'700'000'000);
  Check(!delay || (delay->count() >= 0 && *delay <= registry::kMostRetryAfter));
  CheckRange(parts[3]);
  return 0;
}
