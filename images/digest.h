// Names of content: "sha256:<64 hex digits>". Parse is the only door for text; Sha256 makes one
// from bytes.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "isolation/base/result.h"

struct evp_md_ctx_st;

namespace skiff::images {

class Digest {
 public:
  Digest() = default;  // all zeros; no content has it
  // Lower-case digits only, as the registries demand. Other algorithms are refused by name.
  static Result<Digest> Parse(std::string_view text);
  static Digest FromBytes(const std::array<uint8_t, 32>& bytes);

  std::string hex() const;
  std::string ToString() const { return "sha256:" + hex(); }
  auto operator<=>(const Digest&) const = default;

 private:
  std::array<uint8_t, 32> bytes_{};
};

// SHA-256 of a stream. One thread.
class Sha256 {
 public:
  Sha256();
  void Update(std::string_view data);
  Digest Finish();  // once

  static Digest Of(std::string_view data);

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace skiff::images
