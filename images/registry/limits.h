// The limits of talking to registries.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "isolation/base/bytes.h"

namespace skiff::images::registry {

inline constexpr Bytes kMaxErrorBody = Bytes::KiB(64);
inline constexpr Bytes kMaxTokenBody = Bytes::KiB(256);
inline constexpr size_t kMaxToken = 16 << 10;
inline constexpr size_t kMaxChallenge = 8 << 10;  // a WWW-Authenticate header
inline constexpr size_t kMaxChallengeParameters = 16;
inline constexpr size_t kMaxErrorText = 500;  // of a registry's words in ours
inline constexpr Bytes kMaxCredentialFile = Bytes::MiB(1);
inline constexpr Bytes kMaxHelperOutput = Bytes::KiB(64);
inline constexpr Bytes kMaxHelperInput = Bytes::KiB(60);  // a pipe holds 64
inline constexpr Bytes kMaxSettings = Bytes::MiB(1);
inline constexpr size_t kMaxMirrors = 16;   // of one registry
inline constexpr size_t kMaxLeadsTo = 64;   // blocks of one registry
inline constexpr size_t kMaxResumes = 100;  // of one blob
inline constexpr std::chrono::milliseconds kMaxRetryDelay{8'000};
inline constexpr std::chrono::seconds kMaxRetryAfter{
    120};  // a registry may ask for; longer: an error
inline constexpr std::chrono::seconds kMostRetryAfter{1'000'000};  // whatever it says

}  // namespace skiff::images::registry
