// What people call an image: "nginx", "quay.io/team/app:1.2", "name@sha256:...". The grammar and
// its defaults (docker.io, library/, latest) are Docker's, so that a name means here what it means
// there.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "images/digest.h"
#include "isolation/base/result.h"

namespace skiff::images {

class ImageReference {
 public:
  static Result<ImageReference> Parse(std::string_view text);

  const std::string& domain() const { return domain_; }          // "docker.io"
  const std::string& repository() const { return repository_; }  // "library/nginx"
  // Empty only when a digest stands in its place.
  const std::string& tag() const { return tag_; }
  const std::optional<Digest>& digest() const { return digest_; }

  // "docker.io/library/nginx:latest"; equal for equal references.
  std::string Canonical() const;
  // The shortest text that parses to the same: "nginx:latest".
  std::string Familiar() const;

  auto operator<=>(const ImageReference&) const = default;

 private:
  std::string Suffix() const;

  std::string domain_;
  std::string repository_;
  std::string tag_;
  std::optional<Digest> digest_;
};

}  // namespace skiff::images
