#include "isolation/base/clock.h"

#include <chrono>
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

// Not gmtime_r: glibc's reads /etc/localtime, whatever it is asked.
std::string FormatRfc3339(int64_t wall_nanoseconds) {
  using std::chrono::days, std::chrono::nanoseconds;
  std::chrono::sys_time<nanoseconds> time{nanoseconds(wall_nanoseconds)};
  auto midnight = std::chrono::floor<days>(time);
  std::chrono::year_month_day date(midnight);
  std::chrono::hh_mm_ss<nanoseconds> clock(time - midnight);
  char text[64];
  snprintf(text, sizeof(text), "%04d-%02u-%02uT%02ld:%02ld:%02ld.%09ldZ",
           static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
           static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
           clock.seconds().count(), clock.subseconds().count());
  return text;
}

}  // namespace skiff
