#include "images/layer_kind.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace skiff::images {
namespace {

constexpr std::pair<LayerChoice, std::string_view> kNames[] = {
    {LayerChoice::kAuto, "auto"},
    {LayerChoice::kUnpacked, "unpacked"},
    {LayerChoice::kErofs, "erofs"},
};

}  // namespace

std::optional<LayerChoice> LayerChoiceByName(std::string_view name) {
  for (const auto& [choice, known] : kNames) {
    if (known == name) return choice;
  }
  return std::nullopt;
}

std::string_view NameOfChoice(LayerChoice choice) {
  return std::find_if(std::begin(kNames), std::end(kNames),
                      [&](const auto& known) { return known.first == choice; })
      ->second;
}

// See docs/decisions/0012.
Result<LayerKind> KindFor(LayerChoice choice, const std::string& directory) {
  if (choice != LayerChoice::kErofs) return LayerKind::kUnpacked;
  TRY(CheckKind(LayerKind::kErofs, directory).Context("layers=erofs"));
  return LayerKind::kErofs;
}

Result<> CheckKind(LayerKind kind, const std::string& directory) {
  if (kind == LayerKind::kUnpacked) return {};
  Result<isolation::ErofsBacking> backing = isolation::FindErofsBacking(directory);
  if (backing.ok()) return {};
  return std::move(backing).error().Context(
      "this host mounts no such layer (it takes Linux 6.4 with CONFIG_EROFS_FS, and 6.12 or loop "
      "devices)");
}

}  // namespace skiff::images
