// AWS Signature Version 4: what a request claims, and whether the claim holds. Header and presigned
// form. The body is always part of what must have been signed. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "networking/http/message.h"

namespace skiff::runtime::api {

struct SignatureClaim {
  std::string access_key;
  std::string date;  // "20260131", of the credential scope
  std::string region;
  std::string service;
  std::string time;                         // "20260131T120000Z"
  std::vector<std::string> signed_headers;  // lower case, as sent
  std::string signature;                    // hex
  bool is_presigned = false;
  int64_t expires_seconds = 0;  // presigned only
};

// kinds: MissingAuthenticationTokenException, IncompleteSignatureException.
Result<SignatureClaim> ParseSignature(const networking::http::Request& request);

// kind InvalidSignatureException: wrong, expired, from the future, or not over what it must cover
// (host and every x-amz- header). `now`: wall nanoseconds.
Result<> VerifySignature(const networking::http::Request& request, const SignatureClaim& claim,
                         const std::string& secret_key, int64_t now);

}  // namespace skiff::runtime::api
