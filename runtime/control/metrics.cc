#include "runtime/control/metrics.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <numeric>

namespace skiff::runtime {
namespace {

std::string NumberText(double value) {
  char text[32];
  snprintf(text, sizeof(text), "%.12g", value);
  return text;
}

// Backslash, quote and newline are all that the format escapes in a label's value.
void AppendEscaped(std::string& out, std::string_view value) {
  for (char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
}

}  // namespace

void Histogram::Observe(double seconds) {
  const auto* bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  if (bound != kBounds.end()) ++counts_[static_cast<size_t>(bound - kBounds.begin())];
  ++count_;
  sum_ += seconds;
}

uint64_t Histogram::CountUpTo(size_t bound) const {
  return std::accumulate(counts_.begin(), counts_.begin() + static_cast<ptrdiff_t>(bound) + 1,
                         uint64_t{0});
}

void MetricsText::Family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += "# HELP " + name_ + " " + std::string(help) + "\n";
  text_ += "# TYPE " + name_ + " " + std::string(type) + "\n";
}

void MetricsText::Line(std::string_view suffix, const MetricLabels& labels,
                       const std::string& value) {
  text_ += name_;
  text_ += suffix;
  for (size_t i = 0; i < labels.size(); ++i) {
    text_ += i == 0 ? '{' : ',';
    text_ += labels[i].first;
    text_ += "=\"";
    AppendEscaped(text_, labels[i].second);
    text_ += '"';
  }
  if (!labels.empty()) text_ += '}';
  text_ += " " + value + "\n";
}

void MetricsText::Sample(const MetricLabels& labels, double value) {
  Line("", labels, NumberText(value));
}

void MetricsText::Sample(const MetricLabels& labels, uint64_t value) {
  Line("", labels, std::to_string(value));
}

void MetricsText::Add(const MetricLabels& labels, const Histogram& histogram) {
  MetricLabels with_bound = labels;
  with_bound.emplace_back("le", "");
  for (size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    std::string bound = NumberText(Histogram::kBounds[i]);
    with_bound.back().second = bound;
    Line("_bucket", with_bound, std::to_string(histogram.CountUpTo(i)));
  }
  with_bound.back().second = "+Inf";
  Line("_bucket", with_bound, std::to_string(histogram.count()));
  Line("_sum", labels, NumberText(histogram.sum()));
  Line("_count", labels, std::to_string(histogram.count()));
}

}  // namespace skiff::runtime
