// IPv4 addresses, prefixes and MAC addresses as types. Parse is the only way from text; values are
// small, copied freely, and hold host byte order inside. Pure.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::networking {

class Ipv4Address {
 public:
  // Dotted quad, strictly: four decimal numbers, no leading zeros ("010" is octal to some readers).
  static Result<Ipv4Address> Parse(std::string_view text);
  static constexpr Ipv4Address FromBits(uint32_t bits) { return Ipv4Address(bits); }

  constexpr uint32_t bits() const { return bits_; }  // host byte order
  std::string NetworkBytes() const;                  // four bytes as they stand in a packet
  std::string ToString() const;
  bool IsLoopback() const { return bits_ >> 24 == 127; }
  constexpr auto operator<=>(const Ipv4Address&) const = default;

 private:
  constexpr explicit Ipv4Address(uint32_t bits) : bits_(bits) {}
  uint32_t bits_;
};

class Ipv4Prefix {
 public:
  // "172.31.0.0/20"; bits below the mask are an error.
  static Result<Ipv4Prefix> Parse(std::string_view text);
  // The prefix of `length` (0..32) that holds `address`.
  static Ipv4Prefix Around(Ipv4Address address, int length);

  Ipv4Address network() const { return network_; }
  int length() const { return length_; }
  uint64_t size() const { return uint64_t{1} << (32 - length_); }
  uint32_t mask() const { return length_ == 0 ? 0 : ~uint32_t{0} << (32 - length_); }
  // The n-th address: 0 is the network itself. n must be below size().
  Ipv4Address Nth(uint64_t n) const;
  bool Contains(Ipv4Address address) const { return (address.bits() & mask()) == network_.bits(); }
  bool Overlaps(const Ipv4Prefix& other) const;
  std::string ToString() const;
  constexpr auto operator<=>(const Ipv4Prefix&) const = default;

 private:
  Ipv4Prefix(Ipv4Address network, int length) : network_(network), length_(length) {}
  Ipv4Address network_;
  int length_;
};

class MacAddress {
 public:
  static Result<MacAddress> Parse(std::string_view text);  // "0a:58:ac:1f:00:05"
  // Locally administered and unique wherever the addresses are: 0a:58 and the address.
  static MacAddress ForAddress(Ipv4Address address);
  // For the host's end of the link of `address`: fe:58 and the address.
  static MacAddress ForHostEnd(Ipv4Address address);

  const std::array<uint8_t, 6>& bytes() const { return bytes_; }
  std::string ToString() const;
  auto operator<=>(const MacAddress&) const = default;

 private:
  explicit MacAddress(std::array<uint8_t, 6> bytes) : bytes_(bytes) {}
  std::array<uint8_t, 6> bytes_;
};

}  // namespace skiff::networking
