#include "images/image_lookup.h"

#include <optional>

#include "images/reference.h"

namespace skiff::images {
namespace {

constexpr size_t kMinIdDigits = 4;

// "name@sha256:...": the name must be one of the image's, the digest its manifest's or its id.
bool HasReference(const ImageRecord& record, const ImageReference& wanted, std::string* name) {
  for (const std::string& known : record.names) {
    Result<ImageReference> parsed = ImageReference::Parse(known);
    if (!parsed.ok()) continue;
    const ImageReference& reference = parsed.value();
    if (reference == wanted) {
      *name = known;
      return true;
    }
    bool is_pinned = wanted.digest() && reference.domain() == wanted.domain() &&
                     reference.repository() == wanted.repository() &&
                     (wanted.tag().empty() || wanted.tag() == reference.tag());
    if (is_pinned && (*wanted.digest() == record.manifest || *wanted.digest() == record.id)) {
      return true;
    }
  }
  return false;
}

std::optional<RecordMatch> FindByName(const std::vector<ImageRecord>& records,
                                      std::string_view text) {
  Result<ImageReference> wanted = ImageReference::Parse(text);
  if (!wanted.ok()) return std::nullopt;
  for (size_t i = 0; i < records.size(); ++i) {
    RecordMatch match{i, ""};
    if (HasReference(records[i], wanted.value(), &match.name)) return match;
  }
  return std::nullopt;
}

}  // namespace

std::string Describe(std::string_view text) { return "image " + std::string(text); }

Result<RecordMatch> FindRecord(const std::vector<ImageRecord>& records, std::string_view text) {
  std::optional<RecordMatch> named = FindByName(records, text);
  if (named) return *named;
  bool is_digest = text.starts_with("sha256:");
  std::string_view digits = is_digest ? text.substr(7) : text;
  std::vector<size_t> found;
  if (digits.size() >= kMinIdDigits) {
    for (size_t i = 0; i < records.size(); ++i) {
      bool is_manifest = is_digest && records[i].manifest.hex() == digits;
      if (is_manifest || records[i].id.hex().starts_with(digits)) found.push_back(i);
    }
  }
  if (found.size() == 1) return RecordMatch{found[0], ""};
  if (found.size() > 1) {
    return Error(Code::kConflict, Describe(text) + ": these digits begin several ids");
  }
  return Error(Code::kNotFound, Describe(text) + ": not found");
}

}  // namespace skiff::images
