#include "isolation/systemd/unit.h"

#include <algorithm>

#include "isolation/base/text.h"

namespace skiff::isolation {

void AppendWords(const UnitProperty& property, std::vector<std::string>* words) {
  words->insert(words->end(),
                {property.name, property.type, std::to_string(property.values.size())});
  words->insert(words->end(), property.values.begin(), property.values.end());
}

Result<std::vector<UnitProperty>> ParseWords(const std::vector<std::string>& words) {
  constexpr size_t kHead = 3;
  std::vector<UnitProperty> properties;
  for (auto word = words.begin(); word != words.end();) {
    auto left = static_cast<size_t>(words.end() - word);
    std::optional<uint64_t> count = left < kHead ? std::nullopt : ParseUint(word[2], left - kHead);
    if (!count) return Error(Code::kInvalid, *word + ": a property is NAME TYPE COUNT VALUE...");
    auto values = word + kHead;
    auto end = values + static_cast<std::ptrdiff_t>(*count);
    properties.push_back({word[0], word[1], {values, end}});
    word = end;
  }
  return properties;
}

}  // namespace skiff::isolation
