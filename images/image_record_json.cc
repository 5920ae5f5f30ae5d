#include <nlohmann/json.hpp>

#include "images/image_record.h"
#include "isolation/base/json.h"

namespace skiff::images {
namespace {

constexpr size_t kMaxRecordsBytes = 64 << 20;

Result<Digest> ReadDigest(const JsonCursor& object, std::string_view name) {
  JsonCursor member = TRY(object.Get(name));
  std::string text = TRY(member.String());
  return Digest::Parse(text).Context(member.path());
}

Result<LayerRecord> ReadLayer(const JsonCursor& object) {
  LayerRecord layer;
  layer.diff_id = TRY(ReadDigest(object, "diffId"));
  // A digest too: of the layer, or of the chain it belongs to.
  Digest directory = TRY(ReadDigest(object, "directory"));
  layer.directory = directory.hex();
  JsonCursor size = TRY(object.Get("size"));
  int64_t count = TRY(size.Integer(0));
  layer.size = static_cast<uint64_t>(count);
  std::optional<JsonCursor> blob = TRY(object.Find("blob"));
  if (blob) layer.blob = TRY(ReadDigest(object, "blob"));
  return layer;
}

Result<ImageRecord> ReadImage(const JsonCursor& object) {
  ImageRecord image;
  image.id = TRY(ReadDigest(object, "id"));
  image.manifest = TRY(ReadDigest(object, "manifest"));
  image.names = TRY(object.FindStrings("names"));
  JsonCursor imported = TRY(object.Get("imported"));
  image.imported = TRY(imported.Integer());
  std::optional<bool> is_pulled = TRY(object.FindBoolean("pulled"));
  image.is_pulled = is_pulled.value_or(false);
  std::vector<JsonCursor> layers = TRY(object.FindElements("layers"));
  for (const JsonCursor& element : layers) {
    LayerRecord layer = TRY(ReadLayer(element));
    image.layers.push_back(std::move(layer));
  }
  return image;
}

}  // namespace

Result<std::vector<ImageRecord>> DecodeRecords(std::string_view text, std::string_view what) {
  JsonDocument document = TRY(JsonDocument::Parse(text, what, kMaxRecordsBytes));
  std::vector<JsonCursor> elements = TRY(document.root().FindElements("images").Context(what));
  std::vector<ImageRecord> records;
  for (const JsonCursor& element : elements) {
    ImageRecord record = TRY(ReadImage(element).Context(what));
    records.push_back(std::move(record));
  }
  return records;
}

std::string EncodeRecords(const std::vector<ImageRecord>& records) {
  nlohmann::json images = nlohmann::json::array();
  for (const ImageRecord& record : records) {
    nlohmann::json layers = nlohmann::json::array();
    for (const LayerRecord& layer : record.layers) {
      layers.push_back({{"diffId", layer.diff_id.ToString()},
                        {"directory", "sha256:" + layer.directory},
                        {"size", layer.size}});
      if (layer.blob) layers.back()["blob"] = layer.blob->ToString();
    }
    images.push_back({{"id", record.id.ToString()},
                      {"manifest", record.manifest.ToString()},
                      {"names", record.names},
                      {"layers", std::move(layers)},
                      {"imported", record.imported},
                      {"pulled", record.is_pulled}});
  }
  return EncodeJson({{"images", std::move(images)}}, 1) + "\n";
}

}  // namespace skiff::images
