#include "runtime/control/metrics.h"

#include <gtest/gtest.h>

namespace skiff::runtime {
namespace {

TEST(HistogramTest, BucketsCountUpAndBoundsBelongToTheirBucket) {
  Histogram histogram;
  histogram.Observe(0.0001);
  histogram.Observe(0.003);
  histogram.Observe(1000);
  EXPECT_EQ(histogram.CountUpTo(0), 1U);
  EXPECT_EQ(histogram.CountUpTo(4), 1U);  // up to 2.5 ms
  EXPECT_EQ(histogram.CountUpTo(5), 2U);  // up to 5 ms
  EXPECT_EQ(histogram.CountUpTo(Histogram::kBounds.size() - 1), 2U);
  EXPECT_EQ(histogram.count(), 3U);
  EXPECT_DOUBLE_EQ(histogram.sum(), 1000.0031);
}

TEST(MetricsTextTest, LabelsAreEscaped) {
  MetricsText text;
  text.Family("skiff_x", "gauge", "Help.");
  text.Sample({{"a", "q\"b\\n\n"}, {"b", ""}}, uint64_t{7});
  text.Sample({}, 0.25);
  EXPECT_EQ(text.Take(),
            "# HELP skiff_x Help.\n# TYPE skiff_x gauge\n"
            "skiff_x{a=\"q\\\"b\\\\n\\n\",b=\"\"} 7\nskiff_x 0.25\n");
}

TEST(MetricsTextTest, AHistogramEndsWithInfinitySumAndCount) {
  Histogram histogram;
  histogram.Observe(0.0001);
  MetricsText text;
  text.Family("skiff_x", "histogram", "Help.");
  text.Add({{"step", "mount"}}, histogram);
  std::string out = text.Take();
  EXPECT_NE(out.find("skiff_x_bucket{step=\"mount\",le=\"0.0001\"} 1\n"), std::string::npos);
  EXPECT_TRUE(
      out.ends_with("skiff_x_bucket{step=\"mount\",le=\"+Inf\"} 1\n"
                    "skiff_x_sum{step=\"mount\"} 0.0001\n"
                    "skiff_x_count{step=\"mount\"} 1\n"))
      << out;
}

}  // namespace
}  // namespace skiff::runtime
