#include "tools/skiff/images_json.h"

#include <nlohmann/json.hpp>

#include "isolation/base/clock.h"
#include "isolation/base/json.h"

namespace skiff::tools {
namespace {

nlohmann::json ImageOf(const images::Image& image) {
  nlohmann::json layers = nlohmann::json::array();
  for (const images::LayerInfo& layer : image.layers) {
    layers.push_back(
        {{"diffId", layer.diff_id.ToString()},
         {"size", layer.size},
         {"kind",
          images::KindOfPlace(layer.directory) == images::LayerKind::kErofs ? "erofs" : "unpacked"},
         {"directory", layer.directory}});
  }
  return {{"id", image.id.ToString()}, {"manifestDigest", image.manifest_digest.ToString()},
          {"names", image.names},      {"platform", image.config.platform.ToString()},
          {"size", image.size},        {"importedAt", FormatRfc3339(image.imported)},
          {"pulled", image.is_pulled}, {"damaged", image.is_damaged},
          {"layers", layers}};
}

}  // namespace

std::string EncodeImages(const std::vector<images::Image>& list) {
  nlohmann::json out = nlohmann::json::array();
  for (const images::Image& image : list) out.push_back(ImageOf(image));
  return EncodeJson(out, 2);
}

std::string EncodeUsage(const images::StoreUsage& usage) {
  nlohmann::json list = nlohmann::json::array();
  for (const images::ImageUsage& image : usage.images) {
    list.push_back({{"id", image.image.id.ToString()},
                    {"names", image.image.names},
                    {"layersSize", image.image.size},
                    {"sharedSize", image.shared},
                    {"keptSize", image.kept},
                    {"ownSize", image.own},
                    {"lastUsedAt", FormatRfc3339(image.last_used)},
                    {"inUse", image.is_in_use}});
  }
  nlohmann::json out = {
      {"layersSize", usage.layers}, {"keptSize", usage.kept}, {"images", std::move(list)}};
  return EncodeJson(out, 2);
}

Result<std::string> EncodeImage(const images::Image& image,
                                const images::ImageDocuments& documents) {
  JsonDocument manifest = TRY(JsonDocument::Parse(documents.manifest, "manifest"));
  JsonDocument config = TRY(JsonDocument::Parse(documents.config, "configuration"));
  nlohmann::json out = ImageOf(image);
  out["manifest"] = manifest.root().value();
  out["config"] = config.root().value();
  return EncodeJson(out, 2);
}

}  // namespace skiff::tools
