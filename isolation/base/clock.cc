#include "isolation/base/clock.h"

#include <cstdio>
#include <ctime>

namespace skiff {
namespace {
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

int64_t Now(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * kNanosecondsPerSecond + now.tv_nsec;
}
}  // namespace

int64_t WallNanoseconds() { return Now(CLOCK_REALTIME); }

int64_t MonotonicNanoseconds() { return Now(CLOCK_MONOTONIC); }

std::string FormatRfc3339(int64_t wall_nanoseconds) {
  time_t seconds = wall_nanoseconds / kNanosecondsPerSecond;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%09lldZ", parts.tm_year + 1900,
           parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
           static_cast<long long>(wall_nanoseconds % kNanosecondsPerSecond));
  return text;
}

}  // namespace skiff
