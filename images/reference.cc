#include "images/reference.h"

#include <algorithm>

#include "images/limits.h"
#include "isolation/base/text.h"

namespace skiff::images {
namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kDefaultFolder = "library/";
constexpr size_t kMaxTag = 128;

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsAlnum(char c) { return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z'); }

Error Refuse(std::string_view text, std::string_view why) {
  std::string shown(text.substr(0, kMaxReferenceLength));
  return Error(Code::kInvalid, "image name '" + shown + "': " + std::string(why));
}

// Lower-case letters and digits, with '.', '_', '__' or any number of '-' between them.
bool IsPathComponent(std::string_view text) {
  if (text.empty() || !IsLowerOrDigit(text.front()) || !IsLowerOrDigit(text.back())) return false;
  for (size_t i = 0; i < text.size();) {
    if (IsLowerOrDigit(text[i])) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && !IsLowerOrDigit(text[end])) ++end;
    std::string_view separator = text.substr(i, end - i);
    bool is_dashes = separator.find_first_not_of('-') == std::string_view::npos;
    if (!is_dashes && separator != "." && separator != "_" && separator != "__") return false;
    i = end;
  }
  return true;
}

bool IsHostName(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    return host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.") ==
           std::string_view::npos;
  }
  for (std::string_view label : Split(host, '.')) {
    if (label.empty() || !IsAlnum(label.front()) || !IsAlnum(label.back())) return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) { return IsAlnum(c) || c == '-'; })) {
      return false;
    }
  }
  return true;
}

bool IsDomain(std::string_view text) {
  size_t colon = text.rfind(':');
  bool has_port = colon != std::string_view::npos && !text.ends_with(']');
  if (has_port && !ParseUint(text.substr(colon + 1), 65535)) return false;
  return IsHostName(has_port ? text.substr(0, colon) : text);
}

// Docker's rule: what stands before the first slash is a host when it could not be a folder.
bool LooksLikeDomain(std::string_view first) {
  return first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
         std::any_of(first.begin(), first.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool IsTag(std::string_view text) {
  if (text.empty() || text.size() > kMaxTag || !(IsAlnum(text[0]) || text[0] == '_')) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return IsAlnum(c) || c == '_' || c == '.' || c == '-'; });
}

}  // namespace

Result<ImageReference> ImageReference::Parse(std::string_view text) {
  if (text.empty()) return Refuse(text, "empty");
  if (text.size() > kMaxReferenceLength) return Refuse(text, "longer than 255 characters");
  ImageReference reference;
  std::string_view rest = text;
  size_t at = rest.find('@');
  if (at != std::string_view::npos) {
    reference.digest_ = TRY(Digest::Parse(rest.substr(at + 1)).Context(Refuse(text, "").message()));
    rest = rest.substr(0, at);
  }
  size_t colon = rest.rfind(':');
  size_t last_slash = rest.rfind('/');
  if (colon != std::string_view::npos &&
      (last_slash == std::string_view::npos || colon > last_slash)) {
    reference.tag_ = rest.substr(colon + 1);
    if (!IsTag(reference.tag_)) return Refuse(text, "'" + reference.tag_ + "' is not a tag");
    rest = rest.substr(0, colon);
  } else if (!reference.digest_) {
    reference.tag_ = "latest";
  }
  size_t slash = rest.find('/');
  reference.domain_ = kDefaultDomain;
  if (slash != std::string_view::npos && LooksLikeDomain(rest.substr(0, slash))) {
    reference.domain_ = rest.substr(0, slash);
    if (!IsDomain(reference.domain_)) {
      return Refuse(text, "'" + reference.domain_ + "' is not a registry host");
    }
    if (reference.domain_ == "index.docker.io") reference.domain_ = kDefaultDomain;
    rest = rest.substr(slash + 1);
  }
  for (std::string_view component : Split(rest, '/')) {
    if (IsPathComponent(component)) continue;
    return Refuse(text, "'" + std::string(component) +
                            "' is not a name (lower-case letters, digits and . _ - between them)");
  }
  bool is_official =
      reference.domain_ == kDefaultDomain && rest.find('/') == std::string_view::npos;
  reference.repository_ = (is_official ? std::string(kDefaultFolder) : "") + std::string(rest);
  return reference;
}

std::string ImageReference::Suffix() const {
  std::string suffix = tag_.empty() ? "" : ":" + tag_;
  if (digest_) suffix += "@" + digest_->ToString();
  return suffix;
}

std::string ImageReference::Canonical() const { return domain_ + "/" + repository_ + Suffix(); }

std::string ImageReference::Familiar() const {
  if (domain_ != kDefaultDomain) return Canonical();
  std::string_view name = repository_;
  // "library/docker.io/x" would read as a host once the folder is gone; one component never does.
  if (name.starts_with(kDefaultFolder) &&
      name.find('/', kDefaultFolder.size()) == std::string_view::npos) {
    name.remove_prefix(kDefaultFolder.size());
  }
  // So would "docker.io/quay.io/x", a repository on Docker's own registry.
  size_t slash = name.find('/');
  bool is_like_domain = slash != std::string_view::npos && LooksLikeDomain(name.substr(0, slash));
  if (is_like_domain) return Canonical();
  return std::string(name) + Suffix();
}

}  // namespace skiff::images
