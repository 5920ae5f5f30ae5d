// What this host says about its image store, in /etc/skiff/images.json or the file that
// SKIFF_IMAGES names:
//
//   {"keepLayerFiles": true,        the layers' files as they came, for push, export and repair
//    "limits": {                    what one image may take of the disk (store_limits.h)
//      "layerMiB": 32768,              a layer, uncompressed
//      "imageMiB": 65536,              all layers of an image that are not here yet
//      "reserveMiB": 1024},         stays free; default: 2 % of the disk up to that; 0: nothing
//    "layers": "auto",              how layers are kept: "unpacked", or as an "erofs" image that is
//                                   mounted; "auto": what is better on this kernel
//    "collect": {                   what skiffd removes by itself; tasks' images never
//      "enabled": true,
//      "minutes": 60,               between two looks
//      "namelessHours": 24,         images that lost their name, unused for that long
//      "unusedHours": 0,            pulled images, unused for that long; 0: never for that reason
//      "images": 0,                 no more pulled images than that; 0: any number
//      "diskPercent": 85,           pulled images, when the disk is fuller than that; 0: never
//      "diskGoalPercent": 80,       until it is down to that
//      "leastUnusedMinutes": 60}}   never what was used more recently
//
// Imported images with a name are never collected: no registry gives them back.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "images/layer_kind.h"
#include "images/store_limits.h"
#include "isolation/base/result.h"

namespace skiff::images {

struct CollectRules {
  bool is_enabled = true;
  std::chrono::minutes interval{60};
  std::chrono::hours nameless{24};
  std::chrono::hours unused{0};
  uint64_t images = 0;
  uint64_t disk_percent = 85;
  uint64_t disk_goal_percent = 80;
  std::chrono::minutes least_unused{60};
};

struct StoreSettings {
  bool keeps_layer_files = true;
  StoreLimits limits;
  LayerChoice layers = LayerChoice::kAuto;
  CollectRules collect;
};

Result<StoreSettings> DecodeStoreSettings(std::string_view text, std::string_view what);
// An absent file is no error unless SKIFF_IMAGES names it.
Result<StoreSettings> LoadStoreSettings();

}  // namespace skiff::images
