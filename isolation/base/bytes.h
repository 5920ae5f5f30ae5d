// An amount of memory or storage. Not a count of MiB, not a long: the unit is in the type.
#pragma once

#include <compare>
#include <cstdint>

namespace skiff {

class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(uint64_t count) : count_(count) {}
  static constexpr Bytes KiB(uint64_t n) { return Bytes(n << 10); }
  static constexpr Bytes MiB(uint64_t n) { return Bytes(n << 20); }
  static constexpr Bytes GiB(uint64_t n) { return Bytes(n << 30); }

  constexpr uint64_t count() const { return count_; }
  constexpr uint64_t mib() const { return count_ >> 20; }
  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes operator+(Bytes other) const { return Bytes(count_ + other.count_); }

 private:
  uint64_t count_ = 0;
};

}  // namespace skiff
