#include "runtime/api/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "runtime/api/limits.h"
#include "runtime/api/uri.h"

namespace skiff::runtime::api {
namespace {

using networking::http::Header;
using networking::http::Request;

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

Error Incomplete(const std::string& text) {
  return Error(Code::kDenied, text).WithKind("IncompleteSignatureException");
}

Error Wrong(const std::string& text) {
  return Error(Code::kDenied, text).WithKind("InvalidSignatureException");
}

std::string Sha256Hex(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  return HexEncode(digest, size);
}

std::string Hmac(std::string_view key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return {reinterpret_cast<const char*>(digest), size};
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// "AKID/20260131/us-east-1/ecs/aws4_request"
Result<> ReadCredential(const std::string& text, SignatureClaim* claim) {
  std::vector<std::string_view> parts = Split(text, '/');
  if (parts.size() != 5 || parts[4] != "aws4_request" || parts[0].empty()) {
    return Incomplete("Credential must be KEY/DATE/REGION/SERVICE/aws4_request, got '" + text +
                      "'");
  }
  claim->access_key = parts[0];
  claim->date = parts[1];
  claim->region = parts[2];
  claim->service = parts[3];
  return {};
}

Result<> ReadSignedHeaders(const std::string& text, SignatureClaim* claim) {
  for (std::string_view name : Split(text, ';')) claim->signed_headers.emplace_back(name);
  if (claim->signed_headers.size() <= kMaxSignedHeaders) return {};
  return Incomplete("SignedHeaders names too many headers");
}

Result<SignatureClaim> ParseHeader(const Request& request, std::string_view header) {
  SignatureClaim claim;
  header.remove_prefix(kAlgorithm.size());
  std::string credential;
  std::string signed_headers;
  for (std::string_view part : Split(header, ',')) {
    std::string_view field = TrimSpace(part);
    size_t equals = field.find('=');
    if (equals == std::string_view::npos) continue;
    std::string value(field.substr(equals + 1));
    std::string_view name = field.substr(0, equals);
    if (name == "Credential") credential = value;
    if (name == "SignedHeaders") signed_headers = value;
    if (name == "Signature") claim.signature = value;
  }
  for (const auto& [name, value] : {std::pair{"Credential", &credential},
                                    {"SignedHeaders", &signed_headers},
                                    {"Signature", &claim.signature}}) {
    if (value->empty()) {
      return Incomplete(std::string("Authorization header requires '") + name + "' parameter.");
    }
  }
  const std::string* time = request.Find("x-amz-date");
  if (time == nullptr) {
    return Incomplete(
        "Authorization header requires existence of either a 'X-Amz-Date' or a "
        "'Date' header.");
  }
  claim.time = *time;
  TRY(ReadCredential(credential, &claim));
  TRY(ReadSignedHeaders(signed_headers, &claim));
  return claim;
}

Result<SignatureClaim> ParsePresigned(
    const std::vector<std::pair<std::string, std::string>>& fields) {
  SignatureClaim claim;
  claim.is_presigned = true;
  std::string credential;
  std::string signed_headers;
  std::string expires;
  for (const auto& [name, value] : fields) {
    if (name == "X-Amz-Credential") credential = value;
    if (name == "X-Amz-SignedHeaders") signed_headers = value;
    if (name == "X-Amz-Signature") claim.signature = value;
    if (name == "X-Amz-Date") claim.time = value;
    if (name == "X-Amz-Expires") expires = value;
  }
  if (credential.empty() || signed_headers.empty() || claim.signature.empty() ||
      claim.time.empty() || expires.empty()) {
    return Incomplete(
        "a presigned request needs X-Amz-Credential, X-Amz-SignedHeaders, "
        "X-Amz-Signature, X-Amz-Date and X-Amz-Expires");
  }
  std::optional<uint64_t> seconds =
      ParseUint(expires, std::chrono::seconds(kMaxPresignedLife).count());
  if (!seconds) return Incomplete("X-Amz-Expires must be seconds up to 604800");
  claim.expires_seconds = static_cast<int64_t>(*seconds);
  TRY(ReadCredential(credential, &claim));
  TRY(ReadSignedHeaders(signed_headers, &claim));
  return claim;
}

// Blanks around go, runs of blanks inside become one.
std::string CanonicalValue(std::string_view value) {
  std::string out;
  for (char c : TrimSpace(value)) {
    if (c == ' ' && !out.empty() && out.back() == ' ') continue;
    out += c;
  }
  return out;
}

std::string CanonicalHeaders(const Request& request, const SignatureClaim& claim) {
  std::string out;
  for (const std::string& name : claim.signed_headers) {
    out += name + ":";
    bool is_first = true;
    for (const Header& header : request.headers) {
      if (Lower(header.name) != name) continue;
      out += (is_first ? "" : ",") + CanonicalValue(header.value);
      is_first = false;
    }
    out += '\n';
  }
  return out;
}

std::string CanonicalQuery(const Request& request) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [name, value] : ParseForm(request.Query())) {
    if (name == "X-Amz-Signature") continue;
    fields.emplace_back(UriEncode(name, false), UriEncode(value, false));
  }
  std::sort(fields.begin(), fields.end());
  std::string out;
  for (const auto& [name, value] : fields) out += (out.empty() ? "" : "&") + name + "=" + value;
  return out;
}

std::string CanonicalRequest(const Request& request, const SignatureClaim& claim) {
  std::string names;
  for (const std::string& name : claim.signed_headers) names += (names.empty() ? "" : ";") + name;
  std::string path(request.Path());
  return request.method + "\n" + UriEncode(path.empty() ? "/" : path, true) + "\n" +
         CanonicalQuery(request) + "\n" + CanonicalHeaders(request, claim) + "\n" + names + "\n" +
         Sha256Hex(request.body);
}

std::string Signature(const Request& request, const SignatureClaim& claim,
                      const std::string& secret_key) {
  std::string scope = claim.date + "/" + claim.region + "/" + claim.service + "/aws4_request";
  std::string text = std::string(kAlgorithm) + "\n" + claim.time + "\n" + scope + "\n" +
                     Sha256Hex(CanonicalRequest(request, claim));
  std::string key = Hmac("AWS4" + secret_key, claim.date);
  for (const std::string& part : {claim.region, claim.service, std::string("aws4_request")}) {
    key = Hmac(key, part);
  }
  std::string code = Hmac(key, text);
  return HexEncode(code.data(), code.size());
}

// "20260131T120000Z" in seconds of the epoch.
std::optional<int64_t> ParseTime(const std::string& text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  for (size_t i = 0; i < 15; ++i) {
    if (i != 8 && (text[i] < '0' || text[i] > '9')) return std::nullopt;
  }
  auto number = [&](size_t from, size_t size) {
    int value = 0;
    for (char c : text.substr(from, size)) value = value * 10 + (c - '0');
    return value;
  };
  std::tm broken{};
  broken.tm_year = number(0, 4) - 1900;
  broken.tm_mon = number(4, 2) - 1;
  broken.tm_mday = number(6, 2);
  broken.tm_hour = number(9, 2);
  broken.tm_min = number(11, 2);
  broken.tm_sec = number(13, 2);
  return timegm(&broken);
}

Result<> CheckTime(const SignatureClaim& claim, int64_t now) {
  std::optional<int64_t> signed_at = ParseTime(claim.time);
  if (!signed_at || claim.time.substr(0, 8) != claim.date) {
    return Wrong(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
        "from HTTP: '" +
        claim.date + "' != '" + claim.time + "'");
  }
  int64_t now_seconds = now / 1'000'000'000;
  int64_t skew = std::chrono::seconds(kMaxClockSkew).count();
  int64_t life = claim.is_presigned ? claim.expires_seconds : skew;
  if (now_seconds > *signed_at + life) {
    return Wrong("Signature expired: " + claim.time + " is too long ago: the time here is " +
                 FormatRfc3339(now));
  }
  if (now_seconds < *signed_at - skew) {
    return Wrong("Signature not yet current: " + claim.time +
                 " is still to come: the time here "
                 "is " +
                 FormatRfc3339(now));
  }
  return {};
}

// A header that matters and was not signed could have been changed on the way.
Result<> CheckCoverage(const Request& request, const SignatureClaim& claim) {
  const auto& names = claim.signed_headers;
  auto is_signed = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!is_signed("host")) return Wrong("'Host' must be a 'SignedHeader'.");
  for (const Header& header : request.headers) {
    std::string name = Lower(header.name);
    if (name.starts_with("x-amz-") && !is_signed(name)) {
      return Wrong("'" + header.name + "' must be a 'SignedHeader'.");
    }
  }
  return {};
}

}  // namespace

Result<SignatureClaim> ParseSignature(const Request& request) {
  const std::string* header = request.Find("authorization");
  if (header != nullptr) {
    if (!header->starts_with(std::string(kAlgorithm) + " ")) {
      return Incomplete("Authorization must be " + std::string(kAlgorithm));
    }
    return ParseHeader(request, *header);
  }
  std::vector<std::pair<std::string, std::string>> fields = ParseForm(request.Query());
  for (const auto& [name, value] : fields) {
    if (name == "X-Amz-Algorithm" && value == kAlgorithm) return ParsePresigned(fields);
  }
  return Error(Code::kDenied, "Missing Authentication Token")
      .WithKind("MissingAuthenticationTokenException");
}

Result<> VerifySignature(const Request& request, const SignatureClaim& claim,
                         const std::string& secret_key, int64_t now) {
  TRY(CheckTime(claim, now));
  TRY(CheckCoverage(request, claim));
  std::string expected = Signature(request, claim, secret_key);
  bool is_same = claim.signature.size() == expected.size() &&
                 CRYPTO_memcmp(claim.signature.data(), expected.data(), expected.size()) == 0;
  if (is_same) return {};
  return Wrong(
      "The request signature we calculated does not match the signature you provided. Check your "
      "AWS Secret Access Key and signing method. Consult the service documentation for details.");
}

}  // namespace skiff::runtime::api
