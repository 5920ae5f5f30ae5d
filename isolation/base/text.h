// Text that comes from outside, turned into numbers and pieces, strictly: no sign, space or prefix
// is skipped, and what does not fit is refused (a uid of 4294967296 must not become 0).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff {

// Decimal digits only. nullopt when empty, longer, or above `max`.
std::optional<uint64_t> ParseUint(std::string_view text, uint64_t max = UINT64_MAX);

// Splits at each separator; "a,,b" gives three pieces, "" gives one empty piece.
std::vector<std::string_view> Split(std::string_view text, char separator);

std::string Join(const std::vector<std::string>& pieces, std::string_view separator);

std::string_view TrimSpace(std::string_view text);

std::string HexEncode(const void* data, size_t size);

// `count` bytes from the kernel's generator (getrandom(2)) as 2*count hex digits.
std::string RandomHex(size_t count);

}  // namespace skiff
