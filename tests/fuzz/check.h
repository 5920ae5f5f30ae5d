// What fuzz targets share. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace skiff::fuzz {

// A promise that must hold whatever the input; a fuzzer sees the abort.
inline void Check(bool holds) {
  if (!holds) abort();
}

inline std::string_view TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// An input of several parts has lines of "---" between them. Always `count`: the last takes the
// rest, missing ones are empty.
inline std::vector<std::string_view> Parts(std::string_view text, size_t count) {
  constexpr std::string_view kBetween = "\n---\n";
  std::vector<std::string_view> parts(count);
  for (size_t i = 0; i < count; ++i) {
    size_t end = i + 1 == count ? std::string_view::npos : text.find(kBetween);
    parts[i] = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + kBetween.size());
  }
  return parts;
}

}  // namespace skiff::fuzz
