#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "tools/skiff/explain.h"

namespace skiff::tools {

std::string EncodeExplained(const std::vector<ExplainedPart>& parts,
                            const std::vector<std::string>& warnings) {
  nlohmann::json document = {{"parts", nlohmann::json::array()}, {"warnings", warnings}};
  for (const ExplainedPart& part : parts) {
    nlohmann::json items = nlohmann::json::array();
    for (const ExplainedItem& item : part.items) {
      items.push_back({{"what", item.what}, {"values", item.values}, {"rule", item.rule}});
    }
    document["parts"].push_back({{"name", part.name}, {"items", std::move(items)}});
  }
  return EncodeJson(document, 2);
}

}  // namespace skiff::tools
