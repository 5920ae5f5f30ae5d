// Images from registries, with their progress shown.
#pragma once

#include "images/registry/settings.h"
#include "images/settings.h"
#include "images/store.h"
#include "isolation/base/result.h"
#include "runtime/plan/paths.h"
#include "tools/skiff/options.h"
#include "tools/skiff/run_definition.h"

namespace skiff::tools {

// How layers are kept: as `option` says (a name of one of them), else as the settings.
images::LayerChoice LayersOf(const std::optional<std::string>& option,
                             const images::StoreSettings& settings);
// `is_verified` false: this host's certificate is not looked at.
Result<images::registry::Settings> RegistrySettings(const std::string& host, bool is_verified);

Result<images::Image> PullImage(images::ImageStore& store, const ImagePull& options);

// What a run needs of the registries, before the store is asked for its images.
Result<> PullImages(const RunDefinition& run, PullPolicy policy, const runtime::Roots& roots);

}  // namespace skiff::tools
