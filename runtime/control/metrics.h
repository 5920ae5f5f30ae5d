// Numbers for Prometheus: histograms, and the text of its exposition format 0.0.4. Values; one
// owner each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skiff::runtime {

// How long something took. The bounds suit both a step of a start (tens of microseconds) and a task
// that waits for its image (minutes).
class Histogram {
 public:
  static constexpr std::array<double, 13> kBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                                                     0.005,  0.01,    0.025,  0.05,  0.1,
                                                     0.5,    5,       60};  // seconds

  void Observe(double seconds);
  uint64_t count() const { return count_; }
  double sum() const { return sum_; }
  uint64_t CountUpTo(size_t bound) const;  // of the first `bound + 1` buckets

 private:
  std::array<uint64_t, kBounds.size()> counts_{};
  uint64_t count_ = 0;
  double sum_ = 0;
};

using MetricLabels = std::vector<std::pair<std::string_view, std::string_view>>;

class MetricsText {
 public:
  // `type`: "counter", "gauge", "histogram". What follows belongs to it.
  void Family(std::string_view name, std::string_view type, std::string_view help);
  void Sample(const MetricLabels& labels, double value);
  void Sample(const MetricLabels& labels, uint64_t value);
  void Add(const MetricLabels& labels, const Histogram& histogram);
  std::string Take() { return std::move(text_); }

 private:
  void Line(std::string_view suffix, const MetricLabels& labels, const std::string& value);
  std::string name_;
  std::string text_;
};

}  // namespace skiff::runtime
