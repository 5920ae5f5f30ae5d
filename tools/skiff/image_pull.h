// Images from registries, with their progress shown.
#pragma once

#include "images/registry/settings.h"
#include "images/store.h"
#include "isolation/base/result.h"
#include "runtime/plan/paths.h"
#include "tools/skiff/options.h"
#include "tools/skiff/run_definition.h"

namespace skiff::tools {

// `is_verified` false: this host's certificate is not looked at.
Result<images::registry::Settings> RegistrySettings(const std::string& host, bool is_verified);

Result<images::Image> PullImage(images::ImageStore& store, const ImagePull& options);

// What a run needs of the registries, before the store is asked for its images.
Result<> PullImages(const RunDefinition& run, PullPolicy policy, const runtime::Roots& roots);

}  // namespace skiff::tools
