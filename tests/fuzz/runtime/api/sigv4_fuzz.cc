// Any request as a signed one: parsed and verified without harm, and nothing verifies that was not
// signed. Percent encoding, forms, key files and wildcards on the way.
//
// The input: method and target, header lines, an empty line, the body.
#include <string>

#include "runtime/api/credentials.h"
#include "runtime/api/limits.h"
#include "runtime/api/sigv4.h"
#include "runtime/api/uri.h"
#include "tests/fuzz/check.h"

namespace {

using skiff::fuzz::Check;
using skiff::networking::http::Request;
namespace api = skiff::runtime::api;

constexpr int64_t kNow = 1'769'860'800'000'000'000;  // 20260131T120000Z

std::string_view TakeLine(std::string_view* text) {
  size_t end = text->find('\n');
  std::string_view line = text->substr(0, end);
  *text = end == std::string_view::npos ? std::string_view() : text->substr(end + 1);
  return line;
}

Request ReadRequest(std::string_view text) {
  Request request;
  std::string_view first = TakeLine(&text);
  size_t space = first.find(' ');
  request.method = first.substr(0, space);
  if (space != std::string_view::npos) request.target = first.substr(space + 1);
  while (!text.empty()) {
    std::string_view line = TakeLine(&text);
    if (line.empty()) break;
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    request.headers.push_back(
        {std::string(line.substr(0, colon)), std::string(line.substr(colon + 1))});
  }
  request.body = text;
  return request;
}

void CheckText(std::string_view text) {
  for (bool keep_slash : {false, true}) {
    std::string encoded = api::UriEncode(text, keep_slash);
    Check(encoded.find_first_of("+& ?=#") == std::string::npos);
    Check(api::UriDecode(encoded) == text);
  }
  for (const auto& [name, value] : api::ParseForm(text)) {
    Check(name.size() + value.size() <= text.size());
  }
  std::string_view pattern = text.substr(0, text.find('\n'));
  Check(api::MatchesWildcard("*" + std::string(pattern) + "*", pattern, false));
  auto keys = api::KeySet::Decode(text, "fuzz");
  if (keys.ok()) Check(keys.value().size() <= api::kMaxKeys);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = skiff::fuzz::TextOf(data, size);
  CheckText(text);
  Request request = ReadRequest(text);
  auto claim = api::ParseSignature(request);
  if (!claim.ok()) {
    Check(!std::string_view(claim.error().kind()).empty());
    return 0;
  }
  Check(!claim.value().access_key.empty() && !claim.value().signature.empty());
  Check(claim.value().signed_headers.size() <= api::kMaxSignedHeaders);
  // No seed is signed with this one.
  Check(!api::VerifySignature(request, claim.value(), "nobody's secret", kNow).ok());
  return 0;
}
