#include "tools/skiff/image_names.h"

#include "images/reference.h"

namespace skiff::tools {
namespace {

constexpr size_t kShortDigits = 12;

}  // namespace

std::string ShortId(const images::Image& image) { return image.id.hex().substr(0, kShortDigits); }

std::string FamiliarName(const std::string& canonical) {
  Result<images::ImageReference> reference = images::ImageReference::Parse(canonical);
  return reference.ok() ? reference.value().Familiar() : canonical;
}

std::string NamesOf(const images::Image& image) {
  std::string text;
  for (const std::string& name : image.names) {
    text += (text.empty() ? "" : ", ") + FamiliarName(name);
  }
  return text.empty() ? "<none>" : text;
}

}  // namespace skiff::tools
