#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/model/json_text.h"

namespace skiff::runtime {

void AppendJsonString(std::string& out, std::string_view text) {
  bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';  // false for every byte above ASCII
  });
  if (!is_plain) {
    out += EncodeJson(nlohmann::json(text));
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

}  // namespace skiff::runtime
