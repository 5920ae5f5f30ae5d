#include "networking/address.h"

#include <cassert>
#include <cstdio>
#include <vector>

#include "isolation/base/text.h"

namespace skiff::networking {
namespace {

Error NotAnAddress(std::string_view text) {
  return Error(Code::kInvalid, "'" + std::string(text.substr(0, 64)) +
                                   "': expected an IPv4 address like 172.31.0.5");
}

Error NotAPrefix(std::string_view text, std::string_view problem) {
  return Error(Code::kInvalid,
               "'" + std::string(text.substr(0, 64)) + "': " + std::string(problem));
}

std::array<uint8_t, 6> MacBytes(uint8_t first, Ipv4Address address) {
  uint32_t bits = address.bits();
  return {first,
          0x58,
          static_cast<uint8_t>(bits >> 24),
          static_cast<uint8_t>(bits >> 16),
          static_cast<uint8_t>(bits >> 8),
          static_cast<uint8_t>(bits)};
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<Ipv4Address> Ipv4Address::Parse(std::string_view text) {
  std::vector<std::string_view> parts = Split(text, '.');
  if (parts.size() != 4) return NotAnAddress(text);
  uint32_t bits = 0;
  for (std::string_view part : parts) {
    std::optional<uint64_t> number = ParseUint(part, 255);
    if (!number || (part.size() > 1 && part[0] == '0')) return NotAnAddress(text);
    bits = bits << 8 | static_cast<uint32_t>(*number);
  }
  return Ipv4Address(bits);
}

std::string Ipv4Address::NetworkBytes() const {
  return {static_cast<char>(bits_ >> 24), static_cast<char>(bits_ >> 16),
          static_cast<char>(bits_ >> 8), static_cast<char>(bits_)};
}

std::string Ipv4Address::ToString() const {
  char text[16];
  snprintf(text, sizeof text, "%u.%u.%u.%u", bits_ >> 24, bits_ >> 16 & 255, bits_ >> 8 & 255,
           bits_ & 255);
  return text;
}

Result<Ipv4Prefix> Ipv4Prefix::Parse(std::string_view text) {
  size_t slash = text.find('/');
  if (slash == std::string_view::npos)
    return NotAPrefix(text, "expected a prefix like 172.31.0.0/20");
  std::optional<uint64_t> length = ParseUint(text.substr(slash + 1), 32);
  if (!length) return NotAPrefix(text, "expected a length of 0 to 32 after the slash");
  Ipv4Address network = TRY(Ipv4Address::Parse(text.substr(0, slash)));
  Ipv4Prefix prefix = Around(network, static_cast<int>(*length));
  if (prefix.network_ != network)
    return NotAPrefix(text, "has bits below its mask; the network is " + prefix.ToString());
  return prefix;
}

Ipv4Prefix Ipv4Prefix::Around(Ipv4Address address, int length) {
  assert(length >= 0 && length <= 32);
  Ipv4Prefix prefix(address, length);
  prefix.network_ = Ipv4Address::FromBits(address.bits() & prefix.mask());
  return prefix;
}

Ipv4Address Ipv4Prefix::Nth(uint64_t n) const {
  assert(n < size());
  return Ipv4Address::FromBits(network_.bits() + static_cast<uint32_t>(n));
}

bool Ipv4Prefix::Overlaps(const Ipv4Prefix& other) const {
  return Contains(other.network_) || other.Contains(network_);
}

std::string Ipv4Prefix::ToString() const {
  return network_.ToString() + "/" + std::to_string(length_);
}

Result<MacAddress> MacAddress::Parse(std::string_view text) {
  Error error(Code::kInvalid, "'" + std::string(text.substr(0, 64)) +
                                  "': expected a MAC address like 0a:58:ac:1f:00:05");
  std::vector<std::string_view> parts = Split(text, ':');
  if (parts.size() != 6) return error;
  std::array<uint8_t, 6> bytes{};
  for (size_t i = 0; i < 6; ++i) {
    if (parts[i].size() != 2) return error;
    int high = HexDigit(parts[i][0]);
    int low = HexDigit(parts[i][1]);
    if (high < 0 || low < 0) return error;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return MacAddress(bytes);
}

MacAddress MacAddress::ForAddress(Ipv4Address address) {
  return MacAddress(MacBytes(0x0a, address));
}

MacAddress MacAddress::ForHostEnd(Ipv4Address address) {
  return MacAddress(MacBytes(0xfe, address));
}

std::string MacAddress::ToString() const {
  char text[18];
  snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", bytes_[0], bytes_[1], bytes_[2],
           bytes_[3], bytes_[4], bytes_[5]);
  return text;
}

}  // namespace skiff::networking
