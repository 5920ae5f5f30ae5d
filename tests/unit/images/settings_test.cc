#include "images/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff::images {
namespace {

using testing::HasSubstr;

TEST(StoreSettingsTest, EverythingHasADefault) {
  StoreSettings settings = DecodeStoreSettings("{}", "images.json").value();
  EXPECT_TRUE(settings.keeps_layer_files);
  EXPECT_EQ(settings.layers, LayerChoice::kAuto);
  EXPECT_TRUE(settings.collect.is_enabled);
  EXPECT_EQ(settings.collect.disk_percent, 85u);
  EXPECT_EQ(settings.limits.layer, Bytes::GiB(32));
  EXPECT_EQ(settings.limits.image, Bytes::GiB(64));
  EXPECT_EQ(settings.limits.reserve, std::nullopt);
}

TEST(StoreSettingsTest, EverythingCanBeSaid) {
  StoreSettings settings = DecodeStoreSettings(R"({"keepLayerFiles": false, "layers": "erofs",
          "limits": {"layerMiB": 2, "imageMiB": 3, "reserveMiB": 0}, "collect": {"enabled": false, "minutes": 5,
          "namelessHours": 1, "unusedHours": 48, "images": 10, "diskPercent": 90,
          "diskGoalPercent": 70, "leastUnusedMinutes": 2}})",
                                               "images.json")
                               .value();
  EXPECT_FALSE(settings.keeps_layer_files);
  EXPECT_EQ(settings.limits.layer, Bytes::MiB(2));
  EXPECT_EQ(settings.limits.image, Bytes::MiB(3));
  EXPECT_EQ(settings.limits.reserve, Bytes(0));
  EXPECT_EQ(settings.layers, LayerChoice::kErofs);
  EXPECT_FALSE(settings.collect.is_enabled);
  EXPECT_EQ(settings.collect.interval, std::chrono::minutes(5));
  EXPECT_EQ(settings.collect.nameless, std::chrono::hours(1));
  EXPECT_EQ(settings.collect.unused, std::chrono::hours(48));
  EXPECT_EQ(settings.collect.images, 10u);
  EXPECT_EQ(settings.collect.disk_percent, 90u);
  EXPECT_EQ(settings.collect.disk_goal_percent, 70u);
  EXPECT_EQ(settings.collect.least_unused, std::chrono::minutes(2));
}

TEST(StoreSettingsTest, MistakesAreNamed) {
  auto message = [](const char* text) {
    return DecodeStoreSettings(text, "images.json").error().message();
  };
  EXPECT_THAT(message(R"({"keepFiles": true})"), HasSubstr("keepFiles: unknown"));
  EXPECT_THAT(message(R"({"limits": {"layerMiB": 0}})"), HasSubstr("limits.layerMiB"));
  EXPECT_THAT(message(R"({"limits": {"layers": 1}})"), HasSubstr("limits.layers: unknown"));
  EXPECT_THAT(message(R"({"layers": "squashfs"})"),
              HasSubstr("layers is none of auto, unpacked and erofs"));
  EXPECT_THAT(message(R"({"collect": {"percent": 1}})"), HasSubstr("collect.percent: unknown"));
  EXPECT_THAT(message(R"({"collect": {"diskPercent": 101}})"), HasSubstr("diskPercent"));
  EXPECT_THAT(message(R"({"collect": {"diskGoalPercent": 90}})"), HasSubstr("above diskPercent"));
}

}  // namespace
}  // namespace skiff::images
