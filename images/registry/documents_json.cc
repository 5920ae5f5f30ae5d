#include <nlohmann/json.hpp>

#include "images/limits.h"
#include "images/registry/documents.h"
#include "images/registry/limits.h"
#include "isolation/base/json.h"

namespace skiff::images::registry {
namespace {

std::string Printable(std::string_view text) {
  std::string shown;
  for (char c : text.substr(0, kMaxErrorText)) {
    shown += static_cast<unsigned char>(c) < ' ' || c == 127 ? ' ' : c;
  }
  return shown;
}

std::string TextOf(const JsonCursor& object, std::string_view name) {
  Result<std::optional<std::string>> text = object.FindString(name);
  return text.ok() ? text.value().value_or("") : "";
}

}  // namespace

Result<std::string> DecodeToken(std::string_view text) {
  JsonDocument document = TRY(JsonDocument::Parse(text, "token", kMaxTokenBody.count()));
  for (std::string_view name : {"token", "access_token"}) {
    std::optional<std::string> token = TRY(document.root().FindString(name));
    if (!token || token->empty()) continue;
    if (token->size() > kMaxToken) return Error(Code::kInvalid, "the token is too long");
    return *token;
  }
  return Error(Code::kInvalid, "the token server's answer has no token");
}

std::string DecodeErrors(std::string_view text) {
  Result<JsonDocument> document = JsonDocument::Parse(text, "errors", kMaxErrorBody.count());
  if (!document.ok()) return "";
  Result<std::vector<JsonCursor>> errors = document.value().root().FindElements("errors");
  if (!errors.ok()) return "";
  for (const JsonCursor& error : errors.value()) {
    std::string message = TextOf(error, "message");
    if (message.empty()) message = TextOf(error, "code");
    if (!message.empty()) return Printable(message);
  }
  return "";
}

std::string MediaTypeOf(std::string_view manifest) {
  Result<JsonDocument> document = JsonDocument::Parse(manifest, "manifest", kMaxManifest.count());
  if (!document.ok()) return "";
  JsonCursor root = document.value().root();
  std::string type = TextOf(root, "mediaType");
  if (!type.empty() || !root.IsObject()) return type;
  if (root.value().contains("manifests")) return "application/vnd.oci.image.index.v1+json";
  if (root.value().contains("fsLayers")) {
    return "application/vnd.docker.distribution.manifest.v1+json";
  }
  if (root.value().contains("layers")) return "application/vnd.oci.image.manifest.v1+json";
  return "";
}

}  // namespace skiff::images::registry
