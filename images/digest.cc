#include "images/digest.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "isolation/base/text.h"

namespace skiff::images {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Error NotADigest(std::string_view text, std::string_view why) {
  std::string shown(text.substr(0, 100));
  return Error(Code::kInvalid, "digest '" + shown + "': " + std::string(why));
}

}  // namespace

Result<Digest> Digest::Parse(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (!text.starts_with(kPrefix)) return NotADigest(text, "expected sha256:<64 hex digits>");
  std::string_view hex = text.substr(kPrefix.size());
  Digest digest;
  if (hex.size() != digest.bytes_.size() * 2) return NotADigest(text, "expected 64 hex digits");
  for (size_t i = 0; i < digest.bytes_.size(); ++i) {
    int high = HexValue(hex[2 * i]);
    int low = HexValue(hex[2 * i + 1]);
    if (high < 0 || low < 0) return NotADigest(text, "expected lower-case hex digits");
    digest.bytes_[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return digest;
}

Digest Digest::FromBytes(const std::array<uint8_t, 32>& bytes) {
  Digest digest;
  digest.bytes_ = bytes;
  return digest;
}

std::string Digest::hex() const { return HexEncode(bytes_.data(), bytes_.size()); }

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

// OpenSSL's SHA-256 fails only for want of memory.
Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) abort();
}

void Sha256::Update(std::string_view data) {
  if (EVP_DigestUpdate(context_.get(), data.data(), data.size()) != 1) abort();
}

Digest Sha256::Finish() {
  std::array<uint8_t, 32> bytes{};
  if (EVP_DigestFinal_ex(context_.get(), bytes.data(), nullptr) != 1) abort();
  return Digest::FromBytes(bytes);
}

Digest Sha256::Of(std::string_view data) {
  Sha256 hash;
  hash.Update(data);
  return hash.Finish();
}

}  // namespace skiff::images
